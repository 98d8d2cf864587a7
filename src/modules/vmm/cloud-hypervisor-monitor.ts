import { withDeadline } from '../../host/deadline.js';
import { readTail, type TailPosition } from '../../host/file-tail.js';
import { holdPlace } from '../../host/in-root.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { VmmEvent, VmmEvents } from './answer.js';
import { ALWAYS_TOLD, EventStream, TOLD_BY_PANIC_DEVICE } from './cloud-hypervisor-events.js';
import { ownersOf, viewOf } from './own-socket.js';

/** A round; a file of more is caught up with round by round. An event has some 150 bytes. */
const ROUND_BYTES = 4 << 20;
const OPTION = '--event-monitor';

/** Where a VMM writes its events. */
export type MonitorTarget = { readonly path: string } | { readonly fd: number };

/** The value of `--event-monitor`: `path=P` or `fd=N`; null without. */
export function monitorTarget(argv: readonly string[]): MonitorTarget | null {
  const at = argv.findLastIndex((word) => word === OPTION || word.startsWith(`${OPTION}=`));
  if (at < 0) return null;
  const value = argv[at] === OPTION ? (argv[at + 1] ?? '') : argv[at].slice(OPTION.length + 1);
  const fields = new Map(value.split(',').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]));
  const fd = fields.get('fd');
  if (fd !== undefined) return /^\d{1,9}$/.test(fd) ? { fd: Number(fd) } : null;
  const path = fields.get('path')?.replace(/^"(.*)"$/, '$1');
  return path ? { path } : null;
}

/**
 * Counts what a Cloud Hypervisor writes into its event monitor's file. It is emptied when the VMM begins, so what is counted happened since then.
 * A pipe or a terminal has one reader only, which is not us.
 */
export class EventMonitor {
  private readonly stream = new EventStream();
  private position: TailPosition | null = null;
  /** null where it writes none; undefined while nobody looked. */
  private target: MonitorTarget | null | undefined;
  /** The reading that is under way, perhaps of a file system that hangs. */
  private reading: Promise<number> | null = null;

  constructor(private readonly process: HeldProcess) {}

  /** What was written there and was no event. */
  get malformed(): number {
    return this.stream.malformed;
  }

  /** Reads on. Never rejects. @returns null, or why nothing can be told */
  async read(deadlineMs: number): Promise<Exclude<Outcome, typeof Outcome.ok> | null> {
    if (this.reading) return Outcome.timeout;
    if (this.target === null) return Outcome.unsupported;
    this.reading = this.readOn(deadlineMs).finally(() => {
      this.reading = null;
    });
    try {
      // Counts that still grow for what happened long ago would look like a storm.
      return (await withDeadline(this.reading, deadlineMs, 'reading events')) > 0 ? Outcome.busy : null;
    } catch (error) {
      return outcomeOf(error);
    }
  }

  /** How often each happened since the VMM began. @param hasPanicDevice whether the guest could say that it panics */
  told(hasPanicDevice: boolean): VmmEvents {
    const told: readonly VmmEvent[] = hasPanicDevice ? [...ALWAYS_TOLD, ...TOLD_BY_PANIC_DEVICE] : ALWAYS_TOLD;
    return Object.fromEntries(told.map((event) => [event, this.stream.count(event)]));
  }

  /** @returns bytes that are not read yet. @throws the system's errors */
  private async readOn(deadlineMs: number): Promise<number> {
    if (this.target === undefined) this.target = monitorTarget((await this.process.readAsync('cmdline')).split('\0'));
    const { target } = this;
    const view = viewOf(this.process);
    if (!target || !view) throw Object.assign(new Error('no event monitor'), { code: 'EOPNOTSUPP' });
    if ('fd' in target) return this.follow({ path: `${view.descriptors}/${target.fd}`, follow: true, owners: null });
    const place = await holdPlace(view, target.path, deadlineMs);
    try {
      const owners = ownersOf(this.process, target.path, place.linkOwners);
      return await this.follow({ path: `${place.directory}/${place.name}`, follow: false, owners });
    } finally {
      await place.close();
    }
  }

  private async follow(file: Parameters<typeof readTail>[0]): Promise<number> {
    const { position, left } = await readTail(file, this.position, ROUND_BYTES, (piece) => this.stream.feed(piece.toString('latin1')));
    this.position = position;
    return left;
  }
}

/** What cannot be tailed is no failure: the operator sends the events elsewhere. */
function outcomeOf(error: unknown): Exclude<Outcome, typeof Outcome.ok> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const outcome = code === 'EINVAL' || code === 'ELOOP' ? Outcome.unsupported : outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}
