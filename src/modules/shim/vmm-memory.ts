import { withDeadline } from '../../host/deadline.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { STATUS_LENGTH, Status } from '../procfs/status.js';
import { readWholeOnce } from '../procfs/whole-file.js';
import { type GuestRam, guestRamIn, leastBytesOf, type ResidentParts, residentParts } from './guest-ram.js';
import { readStatus } from './process-status.js';

const WALK_DEADLINE_MS = 30_000;
/** Turns for which it is believed how guest RAM is mapped: printing 300 mappings takes the kernel 260 µs, and only a plugged module is new. */
const TURNS_A_LOOK = 10;

/** Some 9,000 mappings; a QEMU has 300. */
const maps = Buffer.allocUnsafeSlow(1 << 20);
const status = new Float64Array(STATUS_LENGTH);

/** Anonymous and file memory of a process. */
export interface OwnMemory {
  readonly bytes: number;
}

/** What is not guest RAM, where that is shared memory. A process without memory is ending. */
export function ownMemory(process: Pick<HeldProcess, 'readOnce'>): OwnMemory | Outcome {
  const outcome = readStatus(process, status);
  if (outcome !== Outcome.ok) return outcome;
  const bytes = status[Status.anonBytes] + status[Status.fileBytes];
  return Number.isNaN(bytes) ? Outcome.gone : { bytes };
}

/** The memory of one process that has a VM in it: guest RAM and the rest. */
export class VmmMemory {
  private ram: GuestRam | null = null;
  private turnsLeft = 0;
  /** What the walk over its pages found; missing before the first. */
  private walked: ResidentParts | Outcome | undefined;
  private readonly leastBytes: number;

  constructor(
    readonly process: HeldProcess,
    readonly allocatedBytes: number | undefined,
  ) {
    this.leastBytes = leastBytesOf(allocatedBytes);
  }

  /** Whether guest RAM is in a file that is no shared memory: whoever maps it has it among its own. */
  get isOnFile(): boolean {
    return this.ram !== null && this.ram.fileBytes > 0;
  }

  /** As of now, or of the last walk; busy before the first. @throws errors of reading maps */
  parts(): ResidentParts | Outcome {
    const outcome = this.turnsLeft-- > 0 ? Outcome.ok : this.look();
    if (outcome !== Outcome.ok) return outcome;
    const own = ownMemory(this.process);
    if (typeof own === 'number') return own;
    // A kernel without hugetlbfs has no such line.
    const hugetlbBytes = Number.isNaN(status[Status.hugetlbBytes]) ? 0 : status[Status.hugetlbBytes];
    if (!this.mustWalk) return { otherBytes: own.bytes, guestBytes: status[Status.shmemBytes] + hugetlbBytes };
    const { walked = Outcome.busy } = this;
    return typeof walked === 'number' ? walked : { otherBytes: walked.otherBytes, guestBytes: walked.guestBytes + hugetlbBytes };
  }

  /** Walks the pages where nothing else tells guest RAM from the rest: 11 ms a GiB, off the event loop. */
  async walk(): Promise<Outcome> {
    if (!this.mustWalk) return Outcome.ok;
    try {
      const smaps = await withDeadline(this.process.readAsync('smaps'), WALK_DEADLINE_MS, `smaps of ${this.process.pid}`);
      this.walked = residentParts(smaps, this.leastBytes) ?? Outcome.malformed;
    } catch (error) {
      this.walked = outcomeOfErrno(error);
    }
    return typeof this.walked === 'number' ? this.walked : Outcome.ok;
  }

  private get mustWalk(): boolean {
    return this.ram !== null && (this.ram.privateBytes > 0 || this.ram.fileBytes > 0);
  }

  private look(): Outcome {
    this.turnsLeft = 0;
    const length = readWholeOnce(this.process, 'maps', maps);
    if (length < 0) return Outcome.tooLarge;
    const ram = guestRamIn(maps, length, this.leastBytes);
    if (!ram) return Outcome.malformed;
    if (ram.sharedBytes + ram.privateBytes + ram.fileBytes === 0) return Outcome.unsupported;
    this.ram = ram;
    this.turnsLeft = TURNS_A_LOOK;
    return Outcome.ok;
  }
}
