/**
 * Names that file systems, operating systems, network storage and tools give to what they leave in folders. None is a class or an
 * image, though Keras takes a folder of these for a class where its name does not begin with a dot. `*`: anything.
 */
const LEFTOVERS: readonly string[] = [
  // File systems: ext, NTFS and FAT after a check, snapshots of ZFS, NetApp and btrfs, files that NFS keeps open.
  ...['lost+found', 'found.000', '.snapshot', '.snapshots', '#snapshot', '.zfs', '.nfs*', '.fuse_hidden*'],
  // Windows.
  ...['Thumbs.db', 'ehthumbs.db', 'ehthumbs_vista.db', 'desktop.ini', '$RECYCLE.BIN', 'System Volume Information'],
  // macOS, also in archives and on shares.
  ...['.DS_Store', '._*', '__MACOSX', '.AppleDouble', '.AppleDB', '.AppleDesktop', '.Spotlight-V100', '.fseventsd'],
  ...['.TemporaryItems', '.DocumentRevisions-V100', '.apdisk', 'Icon\r', 'Network Trash Folder', 'Temporary Items'],
  // Desktops of Linux, and wastebaskets.
  ...['.Trash', '.Trash-*', '.Trashes', '.directory', '.thumbnails', '.~lock.*'],
  // Network storage: Synology, QNAP.
  ...['@eaDir', '#recycle', '@tmp', '@Recycle', '@Recently-Snapshot', '.@__thumb'],
  // Synchronisation.
  ...['.dropbox', '.dropbox.cache', '.stfolder', '.stversions', '.sync', '.owncloudsync.log'],
  // Tools of developers and data scientists.
  ...['.ipynb_checkpoints', '__pycache__', '.git', '.gitattributes', '.gitignore', '.gitkeep', '.svn', '.hg', '.dvc'],
  ...['.dvcignore', '.cache', '.idea', '.vscode', 'Picasa.ini', '.picasa.ini', '.picasaoriginals'],
];

const EXACT = new Set(LEFTOVERS.filter((name) => !name.endsWith('*')).map((name) => name.toLowerCase()));
const PREFIXES = LEFTOVERS.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1).toLowerCase());

/** Whether systems or tools leave files or folders of this name behind, in whatever case. */
export function isLeftover(name: string): boolean {
  const lower = name.toLowerCase();
  return EXACT.has(lower) || PREFIXES.some((prefix) => lower.startsWith(prefix));
}
