import type { Subject } from '../../model/collector.js';
import { counter, type Exposure, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { Tables } from '../../model/tables.js';
import { DescriptorCounter } from '../procfs/descriptor-counter.js';
import { IO_KEYS, parseIo } from '../procfs/io.js';
import type { Role } from './roles.js';

/** Kata's item, our word, and the direction of those that are storage; in the order of IO_KEYS. */
const ITEMS = [
  ['rchar', 'rchar_bytes'],
  ['wchar', 'wchar_bytes'],
  ['syscr', 'read_syscalls'],
  ['syscw', 'write_syscalls'],
  ['readbytes', 'read_bytes', 'read'],
  ['writebytes', 'write_bytes', 'write'],
  ['cancelledwritebytes', 'cancelled_write_bytes'],
] as const;

function ioMetrics({ prefix, place, native, help }: Role): Metric[] {
  const io = gauge({ name: `${prefix}_io_stat`, help: help.io, identity: 'sandbox' });
  const storage =
    native &&
    counter({
      name: `${native}_io_storage_bytes_total`,
      help: 'Bytes that the process caused to be moved from or to storage.',
      unit: 'bytes',
      identity: 'sandbox',
    });
  return ITEMS.map(([item, word, direction]) => {
    const own: Exposure[] = storage && direction ? [{ family: storage, labels: { direction } }] : [];
    return metric({
      json: `${place}.io.${word}`,
      description: `\`${item}\` of \`/proc/<pid>/io\`.`,
      also: [{ family: io, labels: { item } }, ...own],
    });
  });
}

const text = Buffer.allocUnsafeSlow(4096);
const numbers = new Float64Array(IO_KEYS.length);

/** /proc/<pid>/io and the number of descriptors of one role, in cells of the sandbox table. Both need CAP_SYS_PTRACE. */
export class ProcessIo {
  readonly metrics: readonly Metric[];
  private readonly columns;
  private readonly descriptors;
  private readonly counter = new DescriptorCounter();

  /** @param alsoFds further families of the number of descriptors */
  constructor(
    tables: Tables,
    private readonly role: Role,
    alsoFds: readonly Exposure[] = [],
  ) {
    const fds = metric({
      json: `${role.place}.open_fds`,
      family: gauge({ name: `${role.prefix}_fds`, help: role.help.fds, identity: 'sandbox' }),
      also: alsoFds,
    });
    const io = ioMetrics(role);
    this.metrics = [fds, ...io];
    this.descriptors = tables.sandboxes.column(fds);
    this.columns = io.map((item) => tables.sandboxes.column(item));
  }

  collect(subject: Subject): Outcome {
    const process = this.role.process(subject);
    if (!process) return Outcome.gone;
    let count: number;
    try {
      if (!parseIo(text, process.read('io', text), numbers)) return Outcome.malformed;
      count = this.counter.count(process);
    } catch (error) {
      return outcomeOfErrno(error);
    }
    const row = subject.sandboxRow;
    for (let item = 0; item < numbers.length; item++) this.columns[item].back[row] = numbers[item];
    this.descriptors.back[row] = count;
    return Outcome.ok;
  }
}
