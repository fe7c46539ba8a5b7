/**
 * The Linux calls Node lacks, over koffi. A leaf that anyone may import as `#linux`: koffi is loaded and each function
 * declared at first use. Every failure is a `LinuxError` with `code`, `errno`, `syscall` and often `path`.
 */
export { createSubvolume, deleteSubvolume, snapshotSubvolume, subvolumeId, syncBtrfs } from "./btrfs.ts";
export { errnoName, isLinuxError, LinuxError } from "./error.ts";
export {
  isCloexec,
  keepDescriptorsFromChildren,
  receiveDescriptor,
  sendDescriptor,
  setCloexec,
} from "./descriptors.ts";
export { tellsEntryTypes } from "./entry-types.ts";
export { getEntryXattr, listEntryXattrs, setEntryXattr } from "./entry-xattrs.ts";
export { deviceNumber, makeNode, nodeTypes, syncFileSystem } from "./files.ts";
export {
  chmodEntry,
  fileTypes,
  linkEntry,
  makeFolderEntry,
  makeNodeEntry,
  makeSymlinkEntry,
  openEntry,
  openFolderEntry,
  ownEntry,
  readLinkEntry,
  removeFolderEntry,
  setEntryTimes,
  setOpenTimes,
  statEntry,
  unlinkEntry,
  type EntryFacts,
  type EntryName,
  type FileTime,
} from "./folder-entries.ts";
export { makeFolderPath } from "./folders.ts";
export { dataExtents, type DataExtent } from "./holes.ts";
export { getResourceLimit, type ResourceLimit, type ResourceName, setResourceLimit } from "./limits.ts";
export { flock, type FlockOptions, Lock, LockHeldError, unlockFile } from "./locks.ts";
export { settleAfterStart } from "./memory.ts";
export { findMount, type MountEntry, nearestMount, parseMounts } from "./mount-table.ts";
export { mount, mountFlags, type MountRequest, unmount, unmountFlags } from "./mounts.ts";
export { notifySystemd, sendDatagram } from "./notify.ts";
export { openOomEvents } from "./oom-events.ts";
export type { LinuxPath } from "./paths.ts";
export {
  type ChildExit,
  openPid,
  peekEndedChild,
  reapChild,
  setChildSubreaper,
  signalPidfd,
} from "./processes.ts";
export { onceReady } from "./readiness.ts";
export {
  boundPath,
  isListening,
  peerCredentials,
  type PeerCredentials,
  receiveNow,
  socketpair,
  type SocketType,
  unixConnect,
  unixListen,
  type UnixListenOptions,
  unixPathLimitBytes,
} from "./sockets.ts";
export { type SpawnRequest, spawnProcess } from "./spawn.ts";
export { type FileTimes, setTimes } from "./times.ts";
export { getXattr, listXattrs, removeXattr, setXattr } from "./xattrs.ts";
