import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCheckpoint, writeFormulaWeights } from '../parity/export-checkpoint-file.ts';
import { pictureBytes, writeFiles } from '../support/picture.ts';
import { runCommand } from '../support/python-venv.ts';
import { kerasVenv, skipWithoutKeras } from '../parity/keras-venv.ts';
import { eventually, LAUNCHER, runCli } from './support/local-cluster.ts';
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
    expect(code).toBe(3);
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
    expect(code).toBe(2);
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
    expect(code).toBe(4);
    expect(stderr).toContain('5 of 7 images could not be read');
    const { predictions } = JSON.parse(stdout) as { predictions: { image: string; problem: string | null }[] };
    const refused = predictions.filter(({ problem }) => problem !== null).map(({ image }) => image);

    const check = await graft('dataset', 'check', data, '--skip-bad-files', '--allow-duplicates', '--output', 'json');
    expect(check.code, check.stderr).toBe(0);
    const { dataset } = JSON.parse(check.stdout) as { dataset: { problems: { path: string }[] } };
    const people = await graft('dataset', 'check', data, '--allow-duplicates');
    expect(people.code).toBe(2);
    expect(people.stdout).toContain(
      'Not read: 1 train/cat/*.webp, 1 train/cat/*.tiff. Read are JPEG, PNG, BMP and GIF',
    );
    expect(people.stdout).toContain(`magick mogrify -format png '${data}/train/cat/*.webp'`);
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

  it('takes the format from the ending, and refuses an unknown one with the known ones', async () => {
    const out = join(folder, 'web', 'model.json');
    const web = await graft('checkpoint', 'export', checkpoint, '-o', out, '--weights', weights);
    expect(web.code, web.stderr).toBe(0);
    expect(readdirSync(join(folder, 'web')).toSorted()).toEqual(['group1-shard1of1.bin', 'model.json']);
    const unknown = await graft('checkpoint', 'export', checkpoint, '-o', join(folder, 'model.kears'));
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain(
      "ends in .kears, which is no known format. Did you mean '.keras'? Give a path that ends in .keras",
    );
  });

  it('prints five lines of Python that give the probabilities of predict', async (context) => {
    const venv = await kerasVenv();
    skipWithoutKeras(context, venv);
    const exported = await graft(
      'checkpoint',
      'export',
      checkpoint,
      '-o',
      join(folder, 'py.keras'),
      '--weights',
      weights,
    );
    expect(exported.code, exported.stderr).toBe(0);
    const lines = exported.stdout
      .trimEnd()
      .split('\n')
      .slice(-5)
      .map((line) => line.slice(4));
    expect(lines[0]).toBe('import keras, tensorflow as tf');
    const photo = join(folder, 'photo.jpg');
    const noise = Buffer.from(Array.from({ length: 90 * 61 * 3 }, (_, index) => (index * index * 31) % 251));
    await sharp(noise, { raw: { width: 90, height: 61, channels: 3 } })
      .blur(2)
      .jpeg()
      .toFile(photo);
    const predicted = await graft('predict', checkpoint, photo, '--weights', weights, '--output', 'jsonl');
    expect(predicted.code, predicted.stderr).toBe(0);
    const { probabilities } = JSON.parse(predicted.stdout) as { probabilities: { dog: number } };
    const script = lines.join('\n').replace('"photo.jpg"', JSON.stringify(photo));
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '' };
    const printed = await runCommand(venv.python, ['-c', script], env, 80_000);
    const dog = Number(/\[([\d.e+-]+)\]/.exec(printed)?.[1]);
    expect(Math.abs(dog - probabilities.dog)).toBeLessThanOrEqual(1e-5);
  });

  it('leaves nothing behind when an export is interrupted', async () => {
    const out = join(folder, 'interrupted');
    mkdirSync(out);
    const args = [LAUNCHER, 'checkpoint', 'export', checkpoint, '-o', join(out, 'm.keras'), '--weights', weights];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...NO_COORDINATOR }, stdio: 'ignore' });
    await eventually('the folder of the export', 60_000, () => Promise.resolve(readdirSync(out)[0]));
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(130);
    expect(readdirSync(out)).toEqual([]);
  });

  it('classifies folders in order, on several processes, like one file at a time', async () => {
    const photos = join(folder, 'photos');
    mkdirSync(photos);
    const names = Array.from({ length: 230 }, (_, index) => `${String(index).padStart(3, '0')}.png`);
    const picture = (index: number): Buffer => Buffer.from([index, 255 - index, (index * 7) % 256]);
    for (const [index, name] of names.entries()) {
      await sharp(picture(index), { raw: { width: 1, height: 1, channels: 3 } })
        .resize(24, 24)
        .toFile(join(photos, name));
    }
    writeFileSync(join(photos, '100.png'), 'no picture');
    const out = join(folder, 'all.csv');
    const all = await graft('predict', checkpoint, photos, '--weights', weights, '-o', out);
    expect(all.code).toBe(4);
    expect(all.stderr).toContain(`1 of 230 images could not be read: ${join(photos, '100.png')}: `);
    const rows = readFileSync(out, 'utf8').trimEnd().split('\n');
    expect(rows[0]).toBe('image,class,problem,p_cat,p_dog');
    expect(rows.slice(1).map((row) => row.split(',')[0])).toEqual(names.map((name) => join(photos, name)));
    const one = await graft('predict', checkpoint, join(photos, '229.png'), '--weights', weights, '--output', 'csv');
    const [, , , , dog] = (rows.at(-1) ?? '').split(',');
    expect(Number(one.stdout.trimEnd().split(',').at(-1))).toBeCloseTo(Number(dog), 5);
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
