import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess, KernelFile } from '../../model/process.js';
import { readWhole, readWholeOnce } from '../procfs/whole-file.js';

/** Turns between two looks for what was not there: a shim enters the sandbox's namespace only when it starts the VM. */
const LOOK_EVERY = 12;
/** Threads looked at; a shim that contains its VM has about a dozen. */
const MAX_THREADS = 256;
/** Dragonball's VMM: these threads are in the sandbox's namespace, the shim's others in the host's. */
const VMM_THREAD = /^(vmm_master|db_vcpu\d+)\n$/;

const comm = Buffer.allocUnsafeSlow(64);

/** What must be known of the host. */
export interface Surroundings {
  /** Of the host's own network namespace, or the outcome of asking for it. */
  identity(): string | Outcome;
  /** Whether there are descriptors enough to hold one more. */
  mayHoldMore(): boolean;
}

/** net/dev of the network namespace that the sandbox's VMM lives in, held by one descriptor as long as there are enough. */
export class SandboxNamespace {
  length = 0;
  private place: string | null = null;
  private file: KernelFile | null = null;
  private refused: Outcome = Outcome.unsupported;
  private turnsToLook = 0;

  constructor(
    private readonly process: HeldProcess,
    private readonly inShim: boolean,
    private readonly host: Surroundings,
  ) {}

  /** The table into `buffer`: `length` bytes after an ok. @throws errors of reading */
  read(buffer: Buffer): Outcome {
    if (this.inShim && this.place !== null) this.checkThread(this.place);
    const outcome = this.place === null ? this.find() : Outcome.ok;
    if (outcome !== Outcome.ok || this.place === null) return outcome;
    this.length = this.file ? readWhole(this.file, buffer) : readWholeOnce(this.process, this.place, buffer);
    return this.length < 0 ? Outcome.tooLarge : Outcome.ok;
  }

  close(): void {
    this.file?.close();
    this.file = null;
    this.place = null;
  }

  /** net/dev outlives its thread and would keep the namespace of a VM that has ended; a place that is not held may be another thread's. */
  private checkThread(place: string): void {
    if (this.file && this.turnsToLook-- > 0) return;
    this.turnsToLook = LOOK_EVERY;
    if (!isVmmThread(this.process, place.replace('net/dev', 'comm'))) this.close();
  }

  private find(): Outcome {
    if (this.refused === Outcome.unsupported && this.turnsToLook-- > 0) return this.refused;
    this.turnsToLook = LOOK_EVERY;
    try {
      this.refused = this.open();
    } catch (error) {
      this.refused = outcomeOfErrno(error);
    }
    return this.refused;
  }

  private open(): Outcome {
    const place = this.inShim ? threadPlace(this.process) : 'net/dev';
    if (place === null) return Outcome.unsupported;
    const host = this.host.identity();
    if (typeof host === 'number') return host;
    const file = this.process.open(place);
    const isHost = file.identity() === host;
    if (isHost || !this.host.mayHoldMore()) file.close();
    else this.file = file;
    if (isHost) return Outcome.unsupported;
    this.place = place;
    return Outcome.ok;
  }
}

function threadPlace(process: HeldProcess): string | null {
  for (const thread of process.threads().slice(0, MAX_THREADS)) {
    if (isVmmThread(process, `task/${thread}/comm`)) return `task/${thread}/net/dev`;
  }
  return null;
}

/** @throws what is no sign of a thread that ended */
function isVmmThread(process: HeldProcess, path: string): boolean {
  try {
    return VMM_THREAD.test(comm.toString('latin1', 0, process.readOnce(path, comm)));
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return false;
    throw error;
  }
}
