import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { VmmAnswer, VmmState } from './answer.js';
import { CloudHypervisorApi, refusalOf } from './cloud-hypervisor-api.js';
import { type Counters, disksOf, parseCounters, vnicsOf } from './cloud-hypervisor-counters.js';
import { GuestQuestion } from './cloud-hypervisor-guest.js';
import { parseInfo, parsePing, type VmInfo } from './cloud-hypervisor-info.js';
import { EventMonitor } from './cloud-hypervisor-monitor.js';
import type { Conversation, Dialogue, Intrusion } from './dialogue.js';
import { OwnSocket } from './own-socket.js';
import { isAnswer, type NotOk } from './unix-api.js';

const OK = 200;
const NOT_FOUND = 404;

/** A process without a VM: none was created, or it was deleted. */
const NO_VM: VmmState = { word: 'not-started', state: 'created' };

/** Cloud Hypervisor over its API socket. It serves ten clients: its owner is not in our way, nor we in his. */
export const cloudHypervisorDialogue: Dialogue = {
  hypervisor: 'cloud-hypervisor',
  name: 'cloud-hypervisor-api',
  standing({ process, record }, { settings }) {
    if (!process) return Outcome.gone;
    return settings.cloudHypervisorApi && record.sockets?.length ? Outcome.ok : Outcome.notConfigured;
  },
  begin: ({ record }, process, { host }) =>
    new CloudHypervisorConversation(new OwnSocket(process, record.sockets?.[0] ?? '', host), process, host),
};

class CloudHypervisorConversation implements Conversation {
  private readonly api: CloudHypervisorApi;
  private readonly monitor: EventMonitor;
  private readonly guest = new GuestQuestion();
  private version: string | undefined;

  constructor(
    socket: OwnSocket,
    process: HeldProcess,
    private readonly host: Host,
  ) {
    this.api = new CloudHypervisorApi(socket, () => host.clock.monotonic());
    this.monitor = new EventMonitor(process);
  }

  get intrusion(): Intrusion {
    return this.api.intrusion;
  }

  ask(deadlineMs: number): Promise<VmmAnswer | NotOk> {
    const until = this.host.clock.monotonic() + deadlineMs;
    return this.api.unlessClosed(this.api.round(until, () => this.round(until, deadlineMs)));
  }

  end(): void {
    this.api.close();
  }

  private async round(until: number, deadlineMs: number): Promise<VmmAnswer | NotOk> {
    const reading = this.monitor.read(deadlineMs);
    const info = await this.info(until);
    if (typeof info === 'number') return info;
    this.version ??= await this.ping(until);
    const told = info ? await this.ofVm(info, until) : withoutVm();
    if (typeof told === 'number') return told;
    const events = (await reading) ?? this.monitor.told(info?.hasPanicDevice ?? false);
    return { ...(this.version === undefined ? {} : { version: this.version }), ...told, ...NEVER_TOLD, events };
  }

  /** null for a process without a VM. */
  private async info(until: number): Promise<VmInfo | NotOk | null> {
    const answer = await this.api.get('vm.info', until);
    if (!isAnswer(answer)) return answer;
    if (answer.status === NOT_FOUND) return null;
    return answer.status === OK ? (parseInfo(answer.text) ?? Outcome.malformed) : refusalOf(answer, Outcome.ioError);
  }

  private async ping(until: number): Promise<string | undefined> {
    const answer = await this.api.get('vmm.ping', until);
    return isAnswer(answer) && answer.status === OK ? parsePing(answer.text) : undefined;
  }

  private async ofVm(info: VmInfo, until: number): Promise<ToldOfVm | NotOk> {
    const { state, memory, disks } = info;
    const counters = await this.counters(info, until);
    // What hangs in the middle hangs: one outcome is enough, and what it told a round ago is kept a while.
    if (counters === Outcome.timeout) return counters;
    const told = { state, memory, ...(await this.ofGuest(info, until)) };
    if (typeof counters === 'number') {
      const migration = counters === Outcome.migrating ? ({ state: 'active' } as const) : Outcome.unsupported;
      return { ...told, disks: counters, vnics: counters, migration };
    }
    return { ...told, disks: disksOf(disks, counters), vnics: vnicsOf(counters), migration: { state: 'none' } };
  }

  private async counters({ state }: VmInfo, until: number): Promise<Counters | NotOk> {
    // What is not booted has no devices: the answer would be 500.
    if (state.state === 'created') return Outcome.gone;
    const answer = await this.api.get('vm.counters', until);
    if (!isAnswer(answer)) return answer;
    if (answer.status === OK) return parseCounters(answer.text) ?? Outcome.malformed;
    return refusalOf(answer, state.state === 'running' || state.state === 'paused' ? Outcome.ioError : Outcome.gone);
  }

  private async ofGuest({ state, balloon }: VmInfo, until: number): Promise<Pick<VmmAnswer, 'guest' | 'balloon'>> {
    if (!balloon) return { guest: Outcome.unsupported, balloon: Outcome.unsupported };
    // Vcpus that stand still answer nothing.
    if (state.state !== 'running') return { guest: Outcome.gone, balloon };
    const said = await this.guest.ask(
      () => this.api.get('vm.balloon-stats', until),
      () => this.host.clock.now(),
    );
    if (typeof said === 'number') return { guest: said, balloon };
    const { heldBytes, guest } = said;
    return { guest, balloon: heldBytes === undefined ? balloon : { ...balloon, heldBytes } };
  }
}

type ToldOfVm = Pick<VmmAnswer, 'state' | 'memory' | 'guest' | 'balloon' | 'disks' | 'vnics' | 'migration'>;

/** Its threads are named and KVM counts its exits: neither is in the API. */
const NEVER_TOLD = { vcpus: Outcome.unsupported, exits: Outcome.unsupported, kvm: Outcome.unsupported } as const;

function withoutVm(): ToldOfVm {
  const { gone } = Outcome;
  return { state: NO_VM, memory: gone, guest: gone, balloon: gone, disks: gone, vnics: gone, migration: gone };
}
