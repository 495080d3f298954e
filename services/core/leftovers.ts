/**
 * Names of files and folders left behind by file systems, operating systems, network storage and tools. None is a class
 * or an image, although Keras reads such a folder as a class unless its name begins with a dot. `*` matches anything.
 */
const LEFTOVERS: readonly string[] = [
  // File systems: ext, NTFS and FAT after a check; snapshots of ZFS, NetApp and btrfs; files that NFS keeps open.
  ...['lost+found', 'found.000', '.snapshot', '.snapshots', '#snapshot', '.zfs', '.nfs*', '.fuse_hidden*'],
  // Windows.
  ...['Thumbs.db', 'ehthumbs.db', 'ehthumbs_vista.db', 'desktop.ini', '$RECYCLE.BIN', 'System Volume Information'],
  // macOS, also in archives and on network shares.
  ...['.DS_Store', '._*', '__MACOSX', '.AppleDouble', '.AppleDB', '.AppleDesktop', '.Spotlight-V100', '.fseventsd'],
  ...['.TemporaryItems', '.DocumentRevisions-V100', '.apdisk', 'Icon\r', 'Network Trash Folder', 'Temporary Items'],
  // Linux desktops and recycle bins.
  ...['.Trash', '.Trash-*', '.Trashes', '.directory', '.thumbnails', '.~lock.*'],
  // Network storage: Synology, QNAP.
  ...['@eaDir', '#recycle', '@tmp', '@Recycle', '@Recently-Snapshot', '.@__thumb'],
  // Synchronisation.
  ...['.dropbox', '.dropbox.cache', '.stfolder', '.stversions', '.sync', '.owncloudsync.log'],
  // Developer and data science tools.
  ...['.ipynb_checkpoints', '__pycache__', '.git', '.gitattributes', '.gitignore', '.gitkeep', '.svn', '.hg', '.dvc'],
  ...['.dvcignore', '.cache', '.idea', '.vscode', 'Picasa.ini', '.picasa.ini', '.picasaoriginals'],
];

const EXACT = new Set(LEFTOVERS.filter((name) => !name.endsWith('*')).map((name) => name.toLowerCase()));
const PREFIXES = LEFTOVERS.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1).toLowerCase());

/** Returns whether operating systems or tools leave files or folders of this name behind; ignores case. */
export function isLeftover(name: string): boolean {
  const lower = name.toLowerCase();
  return EXACT.has(lower) || PREFIXES.some((prefix) => lower.startsWith(prefix));
}
