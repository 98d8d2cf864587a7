import type { Subject } from '../../model/collector.js';
import { COMPANION_ROLES } from '../../model/instance.js';
import { oneLine } from '../../model/labels.js';
import type { HeldProcess } from '../../model/process.js';
import { emptyMeasure, type Measure } from './measure.js';
import { MeasureLedger } from './measure-ledger.js';
import type { TapDevice } from './tap-devices.js';

/** stat is one line of some 50 numbers around a comm of at most 64 bytes. */
const stat = Buffer.allocUnsafeSlow(4096);
const NAME_LIMIT = 64;
/** For the processes whose names are too many to be told apart. */
const OTHER = 'other';

/** What the kernel side counts under one key. */
export interface Traced {
  readonly instance: TracedInstance;
  readonly ledger: MeasureLedger;
  /** In this life of the program; 0 for one that it was not told of. */
  key: number;
  /** Tellings there had been when it was told of. */
  since: number;
}

export interface TracedProcess extends Traced {
  readonly process: HeldProcess;
  /** What is known of it without the program. */
  readonly plain: MeasureLedger;
  /** Round in which that was last looked at. */
  plainRound: number;
}

export interface TracedDevice extends Traced {
  readonly device: TapDevice;
}

/** One instance: its processes and taps that are traced, and the sums that are shown of it. They last as long as its VMM does. */
export class TracedInstance {
  /** By the name of the process. A process that ends leaves what it counted here. */
  readonly names = new Map<string, Measure>();
  readonly processes = new Map<HeldProcess, TracedProcess>();
  readonly devices: TracedDevice[] = [];
  readonly guest = emptyMeasure();
  /** Moves when anything that is shown has changed. */
  version = 1;
  /** It was traced through one telling at least. */
  wasTold = false;
  /** How often its taps are still looked for; 0 once all are found. */
  tapLooks = 0;

  /** @param maxNames processes told apart by name; 0: none is named */
  constructor(
    readonly subject: Subject,
    private readonly maxNames: number,
  ) {}

  /** Its VMM and what works beside it, each once: a VMM may be its own shim. */
  present(): ReadonlySet<HeldProcess> {
    const { subject } = this;
    const all = [subject.process, ...COMPANION_ROLES.map((role) => subject.companion(role))];
    return new Set(all.filter((process) => process !== null));
  }

  add(process: HeldProcess): TracedProcess {
    const sum = this.sumOf(process);
    const ledgers = { ledger: new MeasureLedger(sum), plain: new MeasureLedger(sum) };
    const traced = { instance: this, process, ...ledgers, key: 0, since: 0, plainRound: Number.NaN };
    this.processes.set(process, traced);
    this.version++;
    return traced;
  }

  addDevice(device: TapDevice): TracedDevice {
    const traced = { instance: this, device, ledger: new MeasureLedger(this.guest), key: 0, since: 0 };
    this.devices.push(traced);
    return traced;
  }

  private sumOf(process: HeldProcess): Measure {
    const name = this.nameOf(process);
    const sum = this.names.get(name) ?? emptyMeasure();
    this.names.set(name, sum);
    return sum;
  }

  /** As it is called when it is first seen: a process may give itself another name at any time, and as many as it wants. */
  private nameOf(process: HeldProcess): string {
    if (this.maxNames === 0) return '';
    const name = commOf(process);
    const told = [...this.names.keys()].filter((known) => known !== OTHER).length;
    return this.names.has(name) || told < this.maxNames ? name : OTHER;
  }
}

function commOf(process: HeldProcess): string {
  try {
    const line = stat.toString('utf8', 0, process.readOnce('stat', stat));
    const [from, to] = [line.indexOf('('), line.lastIndexOf(')')];
    if (from >= 0 && to > from + 1) return oneLine(line.slice(from + 1, to), NAME_LIMIT);
  } catch {
    // It ends just now: what is counted of it, if anything, is nobody's by name.
  }
  return OTHER;
}
