/**
 * How the kernel side is told what to count, without a restart and without any right: it watches the system call kill(number, 0) of one
 * process, the ringer, which asks whether a process is there and does nothing to it. Process ids end at 2^22 (PID_MAX_LIMIT), so that larger
 * numbers are free to mean something else; the kernel finds no such process, and that is all.
 *
 * The ringer rings from one thread, so that what it says in several numbers arrives in their order.
 */
const PAYLOAD = 2 ** 28;
/** The key that the next process or device gets; 0 takes its key away. */
const KEY = 1;
/** The network namespace of the next device: the low 28 bits of its inode number. */
const NAMESPACE = 2;
/** A network device by its index: it gets the key. */
const DEVICE = 3;

/** Keys are from 1 to this, and used once in a life of the program. */
export const MAX_KEY = PAYLOAD - 1;

const word = (kind: number, payload: number): number => kind * PAYLOAD + (payload % PAYLOAD);

/** @param pid of the host's own pid namespace */
export const enrolProcess = (pid: number, key: number): readonly number[] => [word(KEY, key), pid];
export const enrolDevice = (namespaceInode: number, ifIndex: number, key: number): readonly number[] => [
  word(KEY, key),
  word(NAMESPACE, namespaceInode),
  word(DEVICE, ifIndex),
];
/** Of a process that goes on without being traced; one that ends is forgotten by itself. */
export const withdrawProcess = (pid: number): readonly number[] => enrolProcess(pid, 0);
export const withdrawDevice = (namespaceInode: number, ifIndex: number): readonly number[] => enrolDevice(namespaceInode, ifIndex, 0);
