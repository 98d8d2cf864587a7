import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually, Hopeless } from './eventually.js';
import { iproute, type Need, program, root } from './needs.js';
import type { NetworkNamespace } from './network-namespace.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
/** For the tools' own waiting; only a failure takes so long. */
const TOOL_SECONDS = '--timeout=60';

/** What every suite with a switch of its own stands on. */
export const OPEN_VSWITCH: readonly Need[] = [
  root,
  iproute,
  ...['ovs-vswitchd', 'ovsdb-server'].map((name) => program(name, 'openvswitch-switch')),
  ...['ovs-vsctl', 'ovs-ofctl', 'ovs-appctl', 'ovsdb-tool'].map((name) => program(name, 'openvswitch-common')),
];

/**
 * A whole Open vSwitch: ovsdb-server and ovs-vswitchd in a network namespace of the test's, all their files and sockets below a scratch
 * directory. Its bridges are in userspace (`datapath_type=netdev`), so no kernel module is needed; a bridge is a tap device of its name.
 */
export class OpenVSwitch {
  /** Run directory: `db.sock`, `<bridge>.mgmt`, `ovs-vswitchd.<pid>.ctl`. */
  readonly directory = mkdtempSync(join(tmpdir(), 'vmgauge-ovs-'));
  /** Of ovsdb-server. */
  readonly socket = join(this.directory, 'db.sock');
  private database: Child | undefined;
  private daemon: Child | undefined;

  private constructor(private readonly namespace: NetworkNamespace) {}

  /** Resolves when the switch takes orders; it has no bridge yet. */
  static async start(belongings: Belongings, namespace: NetworkNamespace): Promise<OpenVSwitch> {
    const ovs = new OpenVSwitch(namespace);
    belongings.own(() => ovs.stop());
    execFileSync('ovsdb-tool', ['create', join(ovs.directory, 'conf.db'), SCHEMA], { env: ovs.environment });
    await ovs.startDatabase();
    ovs.vsctl('--no-wait', 'init');
    await ovs.startSwitch();
    return ovs;
  }

  get pids(): { readonly database: number; readonly vswitchd: number } {
    return { database: this.running('database').pid, vswitchd: this.running('daemon').pid };
  }

  /** Where ovs-vswitchd speaks OpenFlow to whoever connects. */
  management(bridge: string): string {
    return join(this.directory, `${bridge}.mgmt`);
  }

  /** @param columns of the new `Bridge`, such as `protocols=OpenFlow10,OpenFlow15` */
  addBridge(name: string, ...columns: readonly string[]): void {
    this.vsctl('add-br', name, '--', 'set', 'Bridge', name, 'datapath_type=netdev', ...columns);
  }

  /** Without `--no-wait` it returns when ovs-vswitchd has done it. @returns standard output @throws with the tool's complaint */
  vsctl(...argv: readonly string[]): string {
    return this.tool('ovs-vsctl', `--db=unix:${this.socket}`, ...argv);
  }

  /** A bridge is named by its name alone; for other versions than OpenFlow 1.0 the first word is `--protocols=OpenFlow15`. */
  ofctl(...argv: readonly string[]): string {
    return this.tool('ovs-ofctl', ...argv);
  }

  /** Of ovs-vswitchd. */
  appctl(...argv: readonly string[]): string {
    return this.tool('ovs-appctl', ...argv);
  }

  /** Also ends one that was stopped. Sockets and database stay as they are. */
  async killSwitch(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.running('daemon').kill(signal);
  }

  async killDatabase(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.running('database').kill(signal);
  }

  /** SIGSTOP and SIGCONT, say. */
  signalSwitch(signal: NodeJS.Signals): void {
    this.running('daemon').signal(signal);
  }

  signalDatabase(signal: NodeJS.Signals): void {
    this.running('database').signal(signal);
  }

  /** On the same database as before, when it was killed. */
  async startDatabase(): Promise<void> {
    const words = [join(this.directory, 'conf.db'), `--remote=punix:${this.socket}`];
    this.database = await this.launch('ovsdb-server', words);
    await this.until(this.database, 'ovsdb-server', () => this.tool('ovsdb-client', 'list-dbs', `unix:${this.socket}`) !== '');
  }

  /** After a kill the bridges of the database are there again when it resolves; flows and meters are not. */
  async startSwitch(): Promise<void> {
    const vswitchd = await this.launch('ovs-vswitchd', [`unix:${this.socket}`]);
    this.daemon = vswitchd;
    const control = join(this.directory, `ovs-vswitchd.${vswitchd.pid}.ctl`);
    await this.until(vswitchd, 'ovs-vswitchd', () => existsSync(control) && this.appctl('version') !== '');
    // The version as ovs-ctl(8) writes it. The tool waits until all that the database holds is done, but only after a change: hence the pid.
    const version = this.appctl('version').trim().split(' ').at(-1);
    this.vsctl('set', 'Open_vSwitch', '.', `ovs_version=${version}`, `external_ids:started=${vswitchd.pid}`);
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    // The switch first: it takes its devices with it.
    for (const child of [this.daemon, this.database]) if (child && !child.ended) await child.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.places };
  }

  private get places(): Readonly<Record<string, string>> {
    const names = ['OVS_RUNDIR', 'OVS_DBDIR', 'OVS_LOGDIR', 'OVS_SYSCONFDIR'];
    return Object.fromEntries(names.map((name) => [name, this.directory]));
  }

  /** In the foreground, so that it is our child and ends with us. */
  private launch(daemon: string, words: readonly string[]): Promise<Child> {
    const own = ['--pidfile', `--log-file=${join(this.directory, `${daemon}.log`)}`, '-vconsole:off'];
    return Child.start([...this.namespace.entrance, daemon, ...words, ...own], { env: this.places });
  }

  private until(child: Child, name: string, isReady: () => boolean): Promise<true> {
    return eventually(name, () => {
      if (child.ended) throw new Hopeless(`it ended: ${child.complaints}`);
      return isReady();
    });
  }

  private tool(name: string, ...argv: readonly string[]): string {
    return execFileSync(name, [TOOL_SECONDS, ...argv], { encoding: 'utf8', env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  private running(which: 'database' | 'daemon'): Child {
    const child = this[which];
    if (!child) throw new Error(`no ${which} was started`);
    return child;
  }
}
