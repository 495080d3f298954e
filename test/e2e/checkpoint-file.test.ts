import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCheckpoint, writeFormulaWeights } from '../parity/export-checkpoint-file.ts';
import { pictureBytes, writeFiles } from '../support/picture.ts';
import { runCli } from './support/local-cluster.ts';
import type { CliResult } from './support/local-cluster.ts';

const BACKBONE = 'mobilenet_0.25';
/** Address without a listener: commands on files need no coordinator. */
const NO_COORDINATOR = { GRAFT_COORDINATOR: '127.0.0.1:1' };

describe('commands on a checkpoint file', { timeout: 90_000 }, () => {
  let folder: string;
  let checkpoint: string;
  let weights: string;
  let image: string;

  const graft = (...args: string[]): Promise<CliResult> => runCli(args, NO_COORDINATOR);
  const exportTo = (out: string, ...args: string[]): Promise<CliResult> =>
    graft('checkpoint', 'export', checkpoint, '--format', 'keras', '-o', join(folder, out), ...args);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-e2e-checkpoint-'));
    checkpoint = join(folder, 'best.safetensors');
    // The path of the weights on the trainers, and that on this machine.
    const trained = join(folder, 'trainer', 'weights.safetensors');
    weights = join(folder, 'here.safetensors');
    mkdirSync(join(folder, 'trainer'));
    writeFormulaWeights(trained, BACKBONE, false);
    const parameters = { backbone: BACKBONE, weights: trained, image_size: 32, 'head.units': 4 };
    await writeCheckpoint(checkpoint, parameters, 2);
    const card = { checkpoint_id: 'c', run_id: 'r', sweep_id: 's', class_names: ['cat', 'dog'], parameters };
    writeFileSync(`${checkpoint}.json`, JSON.stringify(card));
    copyFileSync(trained, weights);
    rmSync(join(folder, 'trainer'), { recursive: true });
    image = join(folder, 'a.png');
    await sharp({ create: { width: 40, height: 40, channels: 3, background: 'teal' } }).toFile(image);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reports the missing weights of the base, and the option for a copy', async () => {
    const { code, stdout, stderr } = await graft('predict', '--checkpoint', checkpoint, image);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /best\.safetensors can't be used, weights: it needs the weights of its base, mobilenet_0\.25\. The run read them from ".*trainer\/weights\.safetensors", and this machine has no such file\. Pass a copy of that file: --weights FILE\./,
    );
  });

  it('refuses other weights than those of the run, with both digests', async () => {
    const other = join(folder, 'other.safetensors');
    const bytes = readFileSync(weights);
    bytes.writeFloatLE(0.5, bytes.length - 4);
    writeFileSync(other, bytes);
    const { code, stderr } = await exportTo('other.keras', '--weights', other);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /baseDigest: it was trained on a base whose weights have the digest [0-9a-f]{64}, but the weights on this machine have [0-9a-f]{64}\. Pass the weight file it was trained with: --weights FILE\./,
    );
    expect(existsSync(join(folder, 'other.keras'))).toBe(false);
  });

  it('predicts with the weights of --weights', async () => {
    const args = ['--checkpoint', checkpoint, '--weights', weights, image, '--output', 'json'];
    const { code, stdout, stderr } = await graft('predict', ...args);
    expect(code, stderr).toBe(0);
    const { predictions } = JSON.parse(stdout) as { predictions: { probabilities: number[] }[] };
    expect(predictions[0]?.probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  });

  it('predicts only for files that training reads; a pipe does not block it', async () => {
    const data = join(folder, 'data');
    const places = ['train/cat', 'train/dog', 'validation/cat', 'validation/dog', 'test/cat', 'test/dog'];
    await writeFiles(data, Object.fromEntries(places.map((place) => [`${place}/a.png`, null])));
    const webp = await sharp(await pictureBytes('webp'))
      .webp()
      .toBuffer();
    const files = {
      'photo.webp': webp,
      // Keras decides by the name, TensorFlow by the content.
      'web-named.jpg': webp,
      'transparent.jpg': await sharp(await pictureBytes('webp'))
        .ensureAlpha(0.5)
        .webp()
        .toBuffer(),
      'page.jpg': '<!DOCTYPE html>',
      'scan.tiff': await sharp(await pictureBytes('tiff'))
        .tiff()
        .toBuffer(),
      'good.png': null,
    };
    await writeFiles(join(data, 'train/cat'), files);
    execFileSync('mkfifo', [join(data, 'train/cat/pipe.png')]);
    const images = [...Object.keys(files), 'pipe.png'].map((name) => join(data, 'train/cat', name));

    const args = ['--checkpoint', checkpoint, '--weights', weights, ...images, '--output', 'json'];
    const { code, stdout, stderr } = await graft('predict', ...args);
    expect(code).toBe(1);
    expect(stderr).toContain('5 of 7 images could not be read');
    const { predictions } = JSON.parse(stdout) as { predictions: { image: string; problem: string | null }[] };
    const refused = predictions.filter(({ problem }) => problem !== null).map(({ image }) => image);

    const check = await graft('dataset', 'check', data, '--skip-bad-files', '--allow-duplicates', '--output', 'json');
    expect(check.code, check.stderr).toBe(0);
    const { dataset } = JSON.parse(check.stdout) as { dataset: { problems: { path: string }[] } };
    expect(refused.toSorted()).toEqual(dataset.problems.map(({ path }) => join(data, path)).toSorted());
    expect(predictions.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('its format is not supported, as in training'),
      null,
      expect.stringContaining('WebP with transparency'),
      'its content is HTML, despite its name',
      expect.stringContaining('its format is not supported, as in training'),
      null,
      'it is a pipe, socket or device, not a file',
    ]);
  });

  it('exports to `model` in a folder, and does not replace an existing file', async () => {
    mkdirSync(join(folder, 'out'));
    const file = join(folder, 'out', 'model.keras');
    const exported = await exportTo('out', '--weights', weights);
    expect(exported.code, exported.stderr).toBe(0);
    expect(exported.stdout).toContain(file);
    expect(existsSync(file)).toBe(true);
    const again = await exportTo('out', '--weights', weights);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain(`--out: ${file} exists already. Choose another path, or add --force to replace it.`);
  });

  it('replaces a file only with --force', async () => {
    const file = join(folder, 'taken.keras');
    writeFileSync(file, 'mine');
    expect((await exportTo('taken.keras', '--weights', weights)).code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const forced = await exportTo('taken.keras', '--weights', weights, '--force');
    expect(forced.code, forced.stderr).toBe(0);
    // A ZIP archive.
    expect(readFileSync(file).subarray(0, 2).toString()).toBe('PK');
  });

  it('refuses a file name that does not match the format', async () => {
    const ending = await exportTo('model.h5', '--weights', weights);
    expect(ending.code).toBe(2);
    expect(ending.stderr).toContain('model.h5 ends in .h5; a file of format keras ends in .keras.');
    const onFile = await graft('checkpoint', 'export', checkpoint, '--format', 'tfjs', '-o', image);
    expect(onFile.code).toBe(2);
    expect(onFile.stderr).toContain('a.png is a file; format tfjs needs a folder.');
  });
});
