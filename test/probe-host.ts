import { join } from 'node:path';
import { Host } from '../src/host/host.js';
import { hostLook, type Look } from '../src/host/look.js';
import type { Subject } from '../src/model/collector.js';
import type { InstanceRecord, InstanceSource } from '../src/model/instance.js';
import { Outcome } from '../src/model/outcome.js';
import type { Finding } from '../src/modules/capabilities/capability.js';
import type { ProbeTools } from '../src/modules/capabilities/probe-tools.js';
import { VmmContact } from '../src/modules/vmm/vmm-contact.js';
import { FakeProc } from './fake-proc.js';
import { House } from './house.js';

/** What a look at a path comes to: an error code, or no answer ever. */
export type Trouble = 'EACCES' | 'EPERM' | 'EIO' | 'EOPNOTSUPP' | 'ENOSPC' | 'EMFILE' | 'ESTALE' | 'hangs';

/** A host of files with probes' tools, whose looks can be spoilt. */
export class ProbeHost {
  readonly proc = new FakeProc();
  readonly house: House;
  /** Paths that were looked at, in order. */
  readonly looked: string[] = [];
  private readonly troubles: { readonly at: RegExp; readonly trouble: Trouble }[] = [];
  private readonly host: Host;

  constructor({ sources }: { sources?: readonly InstanceSource[] } = {}) {
    const { root, clock } = this.proc;
    this.host = new Host({ proc: root, sys: join(root, 'sysfs'), cgroup: join(root, 'cgroup'), run: join(root, 'run') }, clock);
    this.house = new House(this.host, undefined, { discover: true, ...(sources ? { sources } : {}) });
  }

  get tools(): ProbeTools {
    const { registry, discovery, settings, sampler, told } = this.house;
    return {
      ...{ host: this.host, look: this.look, registry, discovery, settings },
      sources: [told, discovery.source],
      collectors: sampler.states,
      asker: null,
      dialogues: [],
      shims: null,
      upstreams: null,
      switches: null,
      tracing: null,
    };
  }

  /** A running VM with the files of a recorded QEMU. */
  async addVm(id: string, pid: number, record: Partial<InstanceRecord> = {}): Promise<void> {
    this.proc.addProcess(pid);
    const { told } = this.house;
    const before = told.records instanceof Error ? [] : told.records;
    told.records = [...before, { hypervisor: 'qemu', process: { pid, startTicks: 271431 }, ...record, id }];
    await this.house.turn();
  }

  /** As if a collector had said this of the only VM. */
  pretend(collector: string, outcome: Outcome): void {
    const state = this.house.sampler.states.find((one) => one.collector.about.name === collector);
    for (const { row } of this.house.registry.all()) if (state) state.outcome.front[row] = outcome;
  }

  /** As if discovery had not been allowed to look into so many of all processes. */
  refuse(count: number, all: number): void {
    const { source } = this.house.discovery;
    source.refused = count;
    source.scanned = all;
  }

  /** As if the VMMs of these had been asked, with what came of it; null for one that has not answered yet. */
  askerOf(last: Readonly<Record<string, Outcome | null>>): NonNullable<ProbeTools['asker']> {
    const contacts = new Map<Subject, VmmContact>();
    for (const subject of this.house.registry.all()) {
      const outcome = last[subject.id];
      if (outcome === undefined) continue;
      const contact = new VmmContact(subject, 0);
      contact.askedAt = 1;
      if (outcome === Outcome.ok) contact.outcome = outcome;
      else if (outcome !== null) contact.failed(outcome);
      contacts.set(subject, contact);
    }
    return { known: (subject) => contacts.get(subject), answer: () => null };
  }

  /** From now on looks at such paths come to this. */
  spoil(at: RegExp, trouble: Trouble): void {
    this.troubles.unshift({ at, trouble });
  }

  async close(): Promise<void> {
    await this.house.close();
    this.proc.close();
  }

  private get look(): Look {
    const spoilt = async (path: string): Promise<void> => {
      this.looked.push(path);
      const trouble = this.troubles.find(({ at }) => at.test(path))?.trouble;
      if (trouble === 'hangs') await new Promise(() => undefined);
      else if (trouble !== undefined) throw Object.assign(new Error(`${trouble}: ${path}`), { code: trouble });
    };
    const first =
      <A extends readonly unknown[], R>(look: (path: string, ...rest: A) => Promise<R>) =>
      async (path: string, ...rest: A): Promise<R> => {
        await spoilt(path);
        return look(path, ...rest);
      };
    const { text, names, link, isThere, watch } = hostLook;
    return { text: first(text), names: first(names), link: first(link), isThere: first(isThere), watch: first(watch) };
  }
}

/** proc_pid_status(5) of a process with these effective capabilities. */
export const statusOf = (uid: number, capabilities: string): string =>
  `Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapInh:\t0000000000000000\nCapEff:\t${capabilities}\nCapBnd:\t000001ffffffffff\n`;

export const ALL_RIGHTS = '000001ffffffffff';
export const NO_RIGHTS = '0000000000000000';

/** A line of mountinfo, proc_pid_mountinfo(5). */
export const mountLine = (at: string, type: string, options = 'rw', own = 'rw,relatime'): string =>
  `22 27 0:21 / ${at} ${own} shared:5 - ${type} ${type} ${options}\n`;

/** Whether every step of a fix and its text can be shown on one line each. */
export const oneLine = (text: string): boolean => text !== '' && !/[\n\r\u0000-\u001f]/.test(text);

/** Lines of the fix; none for what is ok. */
export const stepsOf = (finding: Finding): readonly string[] => ('fix' in finding ? finding.fix.steps.map(({ line }) => line) : []);
