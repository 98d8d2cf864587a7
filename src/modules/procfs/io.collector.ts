import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { IO_KEYS, parseIo } from './io.js';

const STORAGE = counter({
  name: 'vmgauge_vm_process_io_storage_bytes_total',
  help: 'Bytes that the VMM process caused to be moved from or to storage. Not the disks of the guest: the binary and its page cache count too.',
  unit: 'bytes',
});
const CALLS_BYTES = counter({
  name: 'vmgauge_vm_process_io_bytes_total',
  help: 'Bytes that the VMM process passed through read and write calls, tap traffic and pipes included.',
  unit: 'bytes',
});
const CALLS = counter({ name: 'vmgauge_vm_process_io_syscalls_total', help: 'Read and write calls of the VMM process.' });
const CANCELLED = counter({
  name: 'vmgauge_vm_process_io_cancelled_write_bytes_total',
  help: 'Bytes of page cache that the VMM process dirtied and truncated before they were written.',
  unit: 'bytes',
});
const READ = { direction: 'read' };
const WRITE = { direction: 'write' };

const METRICS = {
  rchar: metric({ json: 'process.io.rchar_bytes', family: CALLS_BYTES, labels: READ }),
  wchar: metric({ json: 'process.io.wchar_bytes', family: CALLS_BYTES, labels: WRITE }),
  syscr: metric({ json: 'process.io.read_syscalls', family: CALLS, labels: READ }),
  syscw: metric({ json: 'process.io.write_syscalls', family: CALLS, labels: WRITE }),
  read: metric({ json: 'process.io.read_bytes', family: STORAGE, labels: READ, rate: 'io_read_bytes_per_second' }),
  write: metric({ json: 'process.io.write_bytes', family: STORAGE, labels: WRITE, rate: 'io_write_bytes_per_second' }),
  cancelled: metric({ json: 'process.io.cancelled_write_bytes', family: CANCELLED }),
};

const text = Buffer.allocUnsafeSlow(1024);
const values = new Float64Array(IO_KEYS.length);

/** /proc/<pid>/io, proc_pid_io(5). Needs ptrace rights over the process: root or CAP_SYS_PTRACE. */
@Injectable()
export class IoCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'io',
    tier: 'sweep',
    reads: '`/proc/<pid>/io`: bytes and calls (needs CAP_SYS_PTRACE)',
    enabled: true,
    closing: true,
  };
  readonly about = IoCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    try {
      if (!parseIo(text, process.read('io', text), values)) return Outcome.malformed;
    } catch (error) {
      return outcomeOfErrno(error);
    }
    const { rchar, wchar, syscr, syscw, read, write, cancelled } = this.columns;
    rchar.back[row] = values[0];
    wchar.back[row] = values[1];
    syscr.back[row] = values[2];
    syscw.back[row] = values[3];
    read.back[row] = values[4];
    write.back[row] = values[5];
    cancelled.back[row] = values[6];
    return Outcome.ok;
  }
}
