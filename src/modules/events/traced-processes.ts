import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { Settings, TracingBlock } from '../../model/settings.js';
import { Coverage } from './coverage.js';
import { Enrolment } from './enrolment.js';
import { MapFill } from './map-fill.js';
import { type PlainSource, takePlainly } from './plain-source.js';
import type { TracingClient, TracingSession } from './session.js';
import { isSameDevice, TapDevices, tapNames } from './tap-devices.js';
import { readLine, type ToldEntry } from './telling.js';
import { TellingQueue } from './telling-queue.js';
import { DEVICE_MAPS, PROCESS_MAPS } from './told-maps.js';
import { SLOTS } from './trace-source.js';
import { TracedInstance } from './traced-instance.js';
import { tracingFamilies } from './tracing-families.js';
import type { Amount, BlockStates, Latency } from './words.js';

/** What is known of one instance now. */
export interface TracedReading {
  readonly instance: TracedInstance;
  readonly source: 'ebpf' | 'proc';
}

/** Buckets that a histogram of one key takes, twice over. */
const SLOTS_PER_KEY = 60;
const RENEW_AT = 0.7;
/** What was counted before the program ended stays in the answers that long: it is started again after a second, or a minute at most. */
const GRACE_MS = 90_000;
/** Tellings in which a tap that is not there yet is looked for: a VMM makes its own after it has started. */
const TAP_LOOKS = 6;

/** Who is enrolled. */
const LISTS: ReadonlySet<string> = new Set(['vm', 'dev']);
const isRead = (map: string): boolean => LISTS.has(map) || PROCESS_MAPS.has(map) || DEVICE_MAPS.has(map);

/** Which processes and taps are traced, and what was counted of them. */
export class TracedProcesses implements TracingClient {
  /** Of the last life, also after its end; another object for each life. */
  private coverage: Coverage | null = null;
  private readonly instances = new Map<Subject, TracedInstance>();
  private readonly queue: TellingQueue;
  private readonly taps = new TapDevices();
  private readonly fill = new MapFill();
  private readonly touched = new Set<TracedInstance>();
  private life: { readonly session: TracingSession; readonly enrolment: Enrolment } | null = null;
  private endedAt = Number.NEGATIVE_INFINITY;
  /** Slots that a life needs because one with fewer was too small. */
  private needed = 0;
  private enrolled: number | null = null;
  private lost = 0;
  /** Of the lives before; null where the kernel does not tell. */
  private missedBefore: number | null = null;
  private missed: number | null = null;
  private unreadable = 0;
  /** Sweeps. */
  private round = 0;

  /** @param standing why nothing is traced, where nothing is */
  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly standing: () => Outcome,
    private readonly plain: PlainSource | null,
  ) {
    this.queue = new TellingQueue(host.clock, (line) => this.read(line));
  }

  /** Which blocks are on, in the last life; another object for each life. */
  get blocks(): BlockStates | null {
    return this.coverage?.blocks ?? null;
  }

  isWanted(): boolean {
    return this.instances.size > 0;
  }

  slots(): number {
    let keys = 0;
    for (const { processes, devices } of this.instances.values()) keys += processes.size + devices.length;
    const wanted = Math.max(SLOTS_PER_KEY * keys, 2 * this.fill.mostLive, this.needed, SLOTS.least);
    return Math.min(SLOTS.most, 2 ** Math.ceil(Math.log2(wanted)));
  }

  began(session: TracingSession): void {
    this.queue.afterwards(() => this.begin(session));
  }

  private begin(session: TracingSession): void {
    this.missedBefore = this.missed;
    this.life = { session, enrolment: new Enrolment(session) };
    this.coverage = new Coverage({ ...session.blocks });
    this.enrolled = null;
    this.fill.beginAnew();
    for (const { processes, devices } of this.instances.values()) {
      for (const traced of [...processes.values(), ...devices]) {
        traced.ledger.beginAnew();
        traced.key = 0;
      }
    }
    void this.enrolAll(session, [...this.instances.values()]);
  }

  line(text: string): void {
    if (!this.queue.put(text)) this.unreadable++;
  }

  ended(): void {
    this.queue.afterwards(() => {
      this.publish();
      this.life = null;
      this.enrolled = null;
      this.endedAt = this.host.clock.monotonic();
    });
  }

  families = () =>
    tracingFamilies(() => {
      const { life, blocks } = this;
      return {
        fill: life ? this.fill.used().map(([map, used]) => [map, used / life.session.slots] as const) : [],
        lost: blocks && this.lost,
        missed: this.missed,
        unreadable: blocks && this.unreadable,
        processes: this.enrolled,
      };
    });

  /** Once a sweep, before the instances. */
  look(): void {
    this.round++;
    this.taps.forget();
  }

  /** The instance is new, or its processes or taps may be others than before. */
  attach(subject: Subject): void {
    if (!subject.process || this.isOff) return;
    const instance = this.instances.get(subject) ?? new TracedInstance(subject, this.settings.tracingProcessNames);
    this.instances.set(subject, instance);
    const present = instance.present();
    for (const traced of instance.processes.values()) {
      if (present.has(traced.process)) continue;
      instance.processes.delete(traced.process);
      this.life?.enrolment.withdraw(traced);
    }
    for (const process of present) if (!instance.processes.has(process)) instance.add(process);
    instance.tapLooks = TAP_LOOKS;
    this.enrol(instance);
  }

  /** Nothing of the instance is known any more. */
  detach(subject: Subject): void {
    const instance = this.instances.get(subject);
    if (!instance) return;
    this.instances.delete(subject);
    this.touched.delete(instance);
    for (const traced of instance.processes.values()) this.life?.enrolment.withdraw(traced);
    for (const traced of instance.devices) this.life?.enrolment.withdrawDevice(traced);
  }

  /** What is known of an instance, or why nothing is. */
  of(subject: Subject): TracedReading | Outcome {
    if (this.isOff) return Outcome.notConfigured;
    const instance = this.instances.get(subject);
    if (!instance) return Outcome.gone;
    const isTraced = instance.wasTold && (this.life !== null || this.host.clock.monotonic() - this.endedAt < GRACE_MS);
    const isKnown = !(isTraced && this.coverage?.isWhole) && this.lookPlainly(instance, isTraced);
    if (isTraced) return { instance, source: 'ebpf' };
    if (isKnown) return { instance, source: 'proc' };
    return this.life ? Outcome.busy : this.standing();
  }

  /** Whether it is counted in the kernel, where anything is; between two lives: whether it was. */
  counts(what: Latency | Amount): boolean {
    return this.coverage?.counts(what) ?? false;
  }

  isOn(block: TracingBlock): boolean {
    return this.coverage?.isOn(block) ?? false;
  }

  /** Neither traced nor read without tracing. */
  private get isOff(): boolean {
    return this.settings.tracing === 'off' && this.plain === null;
  }

  /** A thousand processes cost some 20 ms: in pieces. */
  private async enrolAll(session: TracingSession, instances: readonly TracedInstance[]): Promise<void> {
    const slicer = new Slicer(this.host.clock);
    this.taps.forget();
    for (const instance of instances) {
      if (this.life?.session !== session) return;
      if (this.instances.get(instance.subject) === instance) this.enrol(instance);
      await slicer.pause();
    }
    // Who comes before the next sweep has taps that are not known yet.
    this.taps.forget();
  }

  /** Those that have no key in this life. */
  private enrol(instance: TracedInstance): void {
    if (!this.life) return;
    const { enrolment } = this.life;
    for (const traced of instance.processes.values()) if (traced.key === 0) enrolment.enrol(traced);
    if (!this.isOn('guest-dns')) return;
    const { process, nics } = instance.subject;
    // What nobody knows now may be as it was.
    if (nics === null) return;
    const found = process ? this.taps.of(process, nics) : [];
    if (found.length >= tapNames(nics).size) instance.tapLooks = 0;
    for (const traced of instance.devices.filter(({ device }) => !found.some((one) => isSameDevice(one, device)))) {
      enrolment.withdrawDevice(traced);
      instance.devices.splice(instance.devices.indexOf(traced), 1);
    }
    for (const device of found) {
      const traced = instance.devices.find((known) => isSameDevice(known.device, device)) ?? instance.addDevice(device);
      if (traced.key === 0) enrolment.enrolDevice(traced);
    }
  }

  private lookPlainly(instance: TracedInstance, isTraced: boolean): boolean {
    let isKnown = false;
    for (const traced of instance.processes.values()) {
      const measure = this.plain?.measureOf(traced.process);
      if (!measure) continue;
      isKnown = true;
      // From its enrolment on the kernel counts, though it has not told yet.
      const isCounted = isTraced || (this.life !== null && traced.key > 0);
      if (takePlainly(traced, measure, this.round, (what) => !isCounted || !this.counts(what))) instance.version++;
    }
    return isKnown;
  }

  private *read(text: string): Generator<void> {
    const line = readLine(text, isRead);
    for (let step = line.next(); ; step = line.next()) {
      if (!step.done) {
        this.take(step.value);
        yield;
        continue;
      }
      const { kind, lost, missed, lacks } = step.value;
      this.lost += lost;
      if (kind === 'unreadable') this.unreadable++;
      if (missed !== undefined) this.missed = Math.max(this.missed ?? 0, (this.missedBefore ?? 0) + missed);
      if (kind === 'full' && this.life) this.needed = 2 * this.life.session.slots;
      if (kind !== 'tick') return;
      if (this.coverage) this.coverage.lacks = lacks;
      this.turn();
      return;
    }
  }

  private take(entry: ToldEntry): void {
    const { map, first, value, slots } = entry;
    const enrolment = this.life?.enrolment;
    const isList = LISTS.has(map);
    const traced = isList ? undefined : enrolment?.of(first);
    this.fill.add(map, slots, isList || traced !== undefined);
    if (map === 'vm') enrolment?.has(value);
    if (!traced) return;
    const reader = ('process' in traced ? PROCESS_MAPS : DEVICE_MAPS).get(map);
    if (reader?.(traced.ledger, entry)) this.touched.add(traced.instance);
  }

  /** All maps were told. */
  private turn(): void {
    if (!this.life) return;
    const { session, enrolment } = this.life;
    this.fill.turn();
    this.enrolled = enrolment.turn();
    for (const instance of this.instances.values()) {
      if (instance.wasTold || ![...instance.processes.values()].some((traced) => enrolment.isTold(traced))) continue;
      instance.wasTold = true;
      instance.version++;
    }
    this.publish();
    this.lookForTaps(session);
    // Keys of what is gone stay in the maps until the end of a life.
    const isMostlyOld = this.fill.most > RENEW_AT * session.slots && this.fill.mostLive < this.fill.most / 2;
    if (this.slots() > session.slots || isMostlyOld) session.renew();
  }

  private lookForTaps(session: TracingSession): void {
    if (!this.isOn('guest-dns')) return;
    const late = [...this.instances.values()].filter((instance) => instance.tapLooks > 0);
    for (const instance of late) instance.tapLooks--;
    if (late.length > 0) void this.enrolAll(session, late);
  }

  private publish(): void {
    for (const instance of this.touched) instance.version++;
    this.touched.clear();
  }
}
