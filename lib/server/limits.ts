/**
 * Limits (protocol §12): how often an address may try, how many may be undecided at once, how fast a
 * member may talk. Numbers are options of the server; the defaults are the protocol's.
 */

/** Every limit of protocol §12 that a server may set. */
export interface Limits {
  /** Unauthenticated connections in all. */
  readonly pending: number;
  /** Unauthenticated connections per address. */
  readonly pendingPerAddress: number;
  /** Authenticated links in all. */
  readonly links: number;
  /** Authenticated links per address. */
  readonly linksPerAddress: number;
  /** Handshakes at once per address. */
  readonly handshakeBurst: number;
  /** Seconds until an address has one more handshake. */
  readonly handshakeEverySeconds: number;
  /** ClientHellos per second, all together. */
  readonly hellosPerSecond: number;
  /** RSA decryptions at once. */
  readonly rsaAtOnce: number;
  /** RSA decryptions waiting. */
  readonly rsaQueued: number;
  /** Messages at once per user. */
  readonly sendBurst: number;
  /** Messages per second per user. */
  readonly sendsPerSecond: number;
  /** Milliseconds of the server's work that one user may take at once. */
  readonly workBurstMs: number;
  /** Milliseconds of work per second after that. */
  readonly workMsPerSecond: number;
  /** How many times as much all users from one address may take. */
  readonly workPerAddress: number;
  /** Milliseconds until a room takes one more commit, epoch 0 excepted. */
  readonly commitEveryMs: number;
  /** Commits at once in a room of an author who is no admin; those that answer ADMIT do not count. */
  readonly memberCommits: number;
  /** Seconds until such an author has one more. */
  readonly memberCommitSeconds: number;
  /** Rooms that one user may have made, direct rooms apart; and open rooms that one may be in. */
  readonly roomsPerUser: number;
  /** Direct rooms that one user may have begun. */
  readonly directRoomsPerUser: number;
  /** New rooms per address and hour. */
  readonly roomsPerAddressPerHour: number;
  /** How many from one address may begin to wait at doors at once. */
  readonly joinBurst: number;
  /** Seconds until one more. */
  readonly joinEverySeconds: number;
  /** How many from one address may enter rooms by themselves at once. */
  readonly entryBurst: number;
  /** Seconds until one more. */
  readonly entryEverySeconds: number;
  /** Seconds after which one may enter the same room by oneself again. */
  readonly ownEntrySeconds: number;
  /** People whom one user may put into rooms at once, who have not asked for it. */
  readonly putsAtOnce: number;
  /** Seconds until one more. */
  readonly putEverySeconds: number;
  /** Rooms into which one may have been put without having taken anything from there. */
  readonly unwantedRooms: number;
  /** And of those by the same one. */
  readonly unwantedRoomsFromOne: number;
  /** New direct and key-file rooms per user and hour. */
  readonly directRoomsPerHour: number;
  /** Identities never seen before, per address and hour: each costs a row that is kept. */
  readonly identitiesPerHour: number;
  /** Members of a room; the protocol's own limit is 256. */
  readonly members: number;
  /** Rooms, of all kinds. */
  readonly roomsInAll: number;
  /** Bytes on disk, of all rooms. */
  readonly storeBytes: number;
  /** Bytes of one file; 0: the server takes none. */
  readonly fileBytes: number;
  /** Bytes of files of one user. */
  readonly filesPerUser: number;
  /** Bytes of files in one room. */
  readonly filesPerRoom: number;
  /** Bytes of files from one address. */
  readonly filesPerAddress: number;
  /** Bytes of all files; 0: the server takes none. */
  readonly filesBytes: number;
  /** Milliseconds of the server's work that files may take each second. */
  readonly filesWorkMs: number;
  /** Bytes that may wait for one link. */
  readonly queueBytes: number;
  /** Seconds that they may wait. */
  readonly queueSeconds: number;
  /**
   * From so many streams of a room on, its messages are encrypted once for all (protocol §6): below, it saves little,
   * and equal bytes show the network who shares a room.
   */
  readonly transitFrom: number;
}

/** The values of protocol §12. */
export const defaultLimits: Limits = {
  pending: 512,
  pendingPerAddress: 16,
  links: 1024,
  linksPerAddress: 64,
  handshakeBurst: 20,
  handshakeEverySeconds: 6,
  hellosPerSecond: 200,
  rsaAtOnce: 2,
  rsaQueued: 64,
  sendBurst: 20,
  sendsPerSecond: 5,
  workBurstMs: 200,
  workMsPerSecond: 25,
  workPerAddress: 8,
  commitEveryMs: 1000,
  memberCommits: 3,
  memberCommitSeconds: 20,
  roomsPerUser: 64,
  directRoomsPerUser: 512,
  roomsPerAddressPerHour: 200,
  joinBurst: 64,
  joinEverySeconds: 60,
  entryBurst: 40,
  entryEverySeconds: 180,
  ownEntrySeconds: 3600,
  putsAtOnce: 64,
  putEverySeconds: 60,
  unwantedRooms: 64,
  unwantedRoomsFromOne: 16,
  directRoomsPerHour: 20,
  identitiesPerHour: 200,
  members: 256,
  roomsInAll: 10_000,
  storeBytes: 10 * 1024 ** 3,
  fileBytes: 256 * 1024 ** 2,
  filesPerUser: 1024 ** 3,
  filesPerRoom: 2 * 1024 ** 3,
  filesPerAddress: 2 * 1024 ** 3,
  filesBytes: 8 * 1024 ** 3,
  filesWorkMs: 400,
  queueBytes: 4 * 1024 * 1024,
  queueSeconds: 30,
  transitFrom: 4,
};
