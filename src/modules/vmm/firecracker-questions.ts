import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { AllocatedMemory, Balloon, Disk, GuestMemory, Told, VmmState } from './answer.js';
import type { Intrusion } from './dialogue.js';
import {
  parseBalloonConfig,
  parseBalloonStatistics,
  parseInstanceInfo,
  parseMachineConfig,
  parseVmConfig,
  type VmConfig,
  withHotplugged,
} from './firecracker-api.js';
import { OwnSocket } from './own-socket.js';
import { isAnswer, type NotOk, notOkOf, UnixApi } from './unix-api.js';

const OK = 200;
const BAD_REQUEST = 400;
const FULL = 503;
/** Rounds after which a configuration is asked for again: drives and their limits can be changed while a VM runs, and nothing tells. */
const CONFIG_ROUNDS = 20;

/** What the API tells in one round. */
export interface ApiTopics {
  readonly version?: string;
  readonly state: Told<VmmState>;
  readonly memory: Told<AllocatedMemory>;
  readonly guest: Told<GuestMemory>;
  readonly balloon: Told<Balloon>;
  readonly drives: Told<readonly Disk[]>;
}

type Parsed<T> = T | NotOk;

/** The questions of a round: what changes each time, the configuration once in a while. Two GETs where there is a balloon, one where there is none. */
export class FirecrackerQuestions {
  /** The VM was started, as far as is known. */
  isBooted = false;
  private readonly socket: OwnSocket;
  private readonly api: UnixApi;
  private config: VmConfig | null = null;
  private configAge = 0;
  /** The last round was not answered: what it asked may still wait there. */
  private isUnanswered = false;

  constructor(process: HeldProcess, path: string, host: Host) {
    this.socket = new OwnSocket(process, path, host);
    this.api = new UnixApi(this.socket, () => host.clock.monotonic());
  }

  get intrusion(): Intrusion {
    return this.api.intrusion;
  }

  end(): void {
    this.api.end();
  }

  /** Never rejects. @param until on the host's monotonic clock */
  async ask(until: number): Promise<ApiTopics | NotOk> {
    const found = await this.approach();
    if (found !== Outcome.ok) return found;
    const info = await this.get('/', until, parseInstanceInfo);
    this.isUnanswered = info === Outcome.timeout;
    if (typeof info === 'number') return info === Outcome.notConfigured ? Outcome.malformed : info;
    this.isBooted = info.state.word !== 'not-started';
    // What it says of memory and devices before is what it would begin with, not what the guest has.
    if (!this.isBooted) return { ...info, ...ofNoVm };
    const config = await this.vmConfig(until);
    const { guest, balloon } = await this.ofBalloon(config, until);
    const drives = typeof config === 'number' ? config : config.drives;
    return { ...info, guest, balloon, drives, memory: await this.memory(config, until) };
  }

  private async approach(): Promise<Outcome> {
    if (this.api.isEnded) return Outcome.gone;
    try {
      const found = await this.socket.look();
      if (found !== Outcome.ok || !this.isUnanswered) return found;
      const { waiting } = await this.socket.door();
      return waiting > 0 ? Outcome.timeout : Outcome.ok;
    } catch (error) {
      return notOkOf(error);
    }
  }

  private async vmConfig(until: number): Promise<Parsed<VmConfig>> {
    if (this.config && ++this.configAge < CONFIG_ROUNDS) return this.config;
    const config = await this.get('/vm/config', until, parseVmConfig);
    if (typeof config === 'number') return this.config ?? config;
    this.config = config;
    this.configAge = 0;
    return config;
  }

  private async memory(config: Parsed<VmConfig>, until: number): Promise<Told<AllocatedMemory>> {
    const boot = typeof config === 'object' && config.memory ? config.memory : await this.get('/machine-config', until, parseMachineConfig);
    if (typeof boot === 'number' || typeof config === 'number' || !config.hasHotplug) return boot;
    return this.get('/hotplug/memory', until, (text) => withHotplugged(boot, text));
  }

  /** Without a configuration, as with versions that have none, the balloon itself says whether it is there. */
  private async ofBalloon(config: Parsed<VmConfig>, until: number): Promise<Pick<ApiTopics, 'guest' | 'balloon'>> {
    const { hasBalloon, hasStatistics } = typeof config === 'number' ? { hasBalloon: true, hasStatistics: true } : config;
    if (!hasBalloon) return { guest: Outcome.notConfigured, balloon: Outcome.notConfigured };
    const statistics = hasStatistics ? await this.get('/balloon/statistics', until, parseBalloonStatistics) : Outcome.notConfigured;
    if (typeof statistics === 'object') return statistics;
    if (statistics !== Outcome.notConfigured) return { guest: statistics, balloon: statistics };
    return { guest: statistics, balloon: await this.get('/balloon', until, parseBalloonConfig) };
  }

  /** notConfigured for a 400: what was asked for is not there, and a `fault_message` says so. */
  private async get<T>(path: string, until: number, parse: (text: string) => T | undefined): Promise<Parsed<T>> {
    const answer = await this.api.get(path, until);
    if (!isAnswer(answer)) return answer;
    if (answer.status === BAD_REQUEST) return Outcome.notConfigured;
    if (answer.status === FULL) return Outcome.busy;
    if (answer.status !== OK) return Outcome.ioError;
    return parse(answer.text) ?? Outcome.malformed;
  }
}

const ofNoVm = {
  memory: Outcome.notConfigured,
  guest: Outcome.notConfigured,
  balloon: Outcome.notConfigured,
  drives: Outcome.notConfigured,
} as const;
