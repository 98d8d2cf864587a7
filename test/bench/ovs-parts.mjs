// Figures of asking a virtual switch: the shipped client over connections that stay, against the tool that comes with Open vSwitch.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CannotRun, need, run } from './machine.mjs';
import { asFraction } from './report.mjs';
import { interleave, median, ratio } from './rounds.mjs';
import { sleep } from './server.mjs';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const BRIDGE = 'br-bench';
/** With the bridge's own 63, and as many tables as every bridge has. */
const PORTS = 62;
const METERS = 3;
const FLOWS = 2800;
/** Of ours in a round: one alone takes less than a millisecond. */
const POLLS = 20;
const PATIENT_MS = 30_000;

/** ovs: tables, ports and meters of one bridge; wall time from the first question to the last answer, both asking for all three at once. */
export async function ovs({ workshop, dist, rounds, report }) {
  need('ovs-vswitchd', 'ovsdb-server', 'ovsdb-tool', 'ovs-vsctl', 'ovs-ofctl', 'setpriv', 'unshare');
  if (process.getuid() !== 0) throw new CannotRun('a switch in a network namespace of its own needs root');
  const { OpenFlowClient } = await import(pathToFileURL(join(dist, 'modules/network/ovs/openflow-client.js')).href);
  const bridge = new BenchSwitch(workshop.path('ovs'));
  const clients = [];
  try {
    await bridge.start();
    for (const version of [1, 6]) {
      clients.push(await OpenFlowClient.connect(bridge.management, [version], { deadlineMs: PATIENT_MS, answerBytes: 16 << 20 }));
    }
    const [named, metered] = clients;
    const poll = () => Promise.all([named.tables(PATIENT_MS), metered.ports(PATIENT_MS), metered.meters(PATIENT_MS)]);
    const sizes = (await poll()).map((list) => list.length).join(', ');
    if (sizes !== `254, ${PORTS + 1}, ${METERS}`) throw new Error(`the switch has ${sizes} tables, ports and meters`);
    const times = { ours: () => wallMs(POLLS, poll), tool: () => wallMs(1, () => bridge.pollByTool()) };
    const costs = await interleave(times, rounds);
    const ms = (values) => `${median(values).toFixed(2)} ms`;
    const note = `${ms(costs.ours)}, ovs-ofctl ${ms(costs.tool)}; 254 tables, ${PORTS + 1} ports, ${METERS} meters, ${FLOWS} flows`;
    report.figure('ovs: a full poll against ovs-ofctl', ratio(costs.ours, costs.tool), 1 / 10, { show: asFraction, note });
    const each = {
      tables: () => named.tables(PATIENT_MS),
      ports: () => metered.ports(PATIENT_MS),
      meters: () => metered.meters(PATIENT_MS),
    };
    const turns = Object.fromEntries(Object.entries(each).map(([name, ask]) => [name, () => wallMs(POLLS, ask)]));
    for (const [name, values] of Object.entries(await interleave(turns, rounds))) report.information(`ovs: ${name} alone`, ms(values));
  } finally {
    for (const client of clients) client.close();
    await bridge.stop();
  }
}

/** Mean of one turn. */
async function wallMs(times, work) {
  const before = performance.now();
  for (let i = 0; i < times; i++) await work();
  return (performance.now() - before) / times;
}

/** An Open vSwitch in userspace, in a nameless network namespace that ends with it; its files are in a directory of the bench's. */
class BenchSwitch {
  #daemons = [];

  constructor(directory) {
    this.directory = directory;
    this.database = `unix:${join(directory, 'db.sock')}`;
    this.management = join(directory, `${BRIDGE}.mgmt`);
    const places = ['OVS_RUNDIR', 'OVS_DBDIR', 'OVS_LOGDIR', 'OVS_SYSCONFDIR'].map((name) => [name, directory]);
    this.environment = { ...process.env, ...Object.fromEntries(places) };
  }

  async start() {
    mkdirSync(this.directory);
    this.#tool('ovsdb-tool', 'create', join(this.directory, 'conf.db'), SCHEMA);
    this.#daemon('ovsdb-server', join(this.directory, 'conf.db'), `--remote=p${this.database}`);
    await this.#until(() => this.#tool('ovs-vsctl', '--timeout=1', `--db=${this.database}`, '--no-wait', 'init'));
    this.#daemon('unshare', '--net', 'ovs-vswitchd', this.database);
    const ports = Array.from({ length: PORTS }, (_, i) => [
      '--',
      'add-port',
      BRIDGE,
      `port${i}`,
      '--',
      'set',
      'interface',
      `port${i}`,
      'type=internal',
    ]);
    const set = ['set', 'bridge', BRIDGE, 'datapath_type=netdev', 'protocols=OpenFlow10,OpenFlow15'];
    this.#tool('ovs-vsctl', '--timeout=60', `--db=${this.database}`, 'add-br', BRIDGE, '--', ...set, ...ports.flat());
    for (let meter = 1; meter <= METERS; meter++) {
      this.#tool('ovs-ofctl', '--protocols=OpenFlow15', 'add-meter', BRIDGE, `meter=${meter},pktps,stats,bands=type=drop,rate=100`);
    }
    const flows = join(this.directory, 'flows');
    writeFileSync(
      flows,
      Array.from({ length: FLOWS }, (_, i) => `table=${i % 30},ip,nw_src=10.0.${i >> 8}.${i & 255},actions=drop\n`).join(''),
    );
    this.#tool('ovs-ofctl', 'add-flows', BRIDGE, flows);
  }

  pollByTool() {
    const options = { env: this.environment };
    return Promise.all([
      run('ovs-ofctl', ['dump-tables', this.management], options),
      run('ovs-ofctl', ['--protocols=OpenFlow15', 'dump-ports', this.management], options),
      run('ovs-ofctl', ['--protocols=OpenFlow15', 'meter-stats', this.management], options),
    ]);
  }

  async stop() {
    for (const daemon of this.#daemons.reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const exited = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await exited;
    }
  }

  #tool(...argv) {
    return execFileSync(argv[0], argv.slice(1), { env: this.environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** In the foreground, and it ends with the bench whatever becomes of it. */
  #daemon(...argv) {
    const quiet = ['--pidfile', `--log-file`, '-vconsole:off'];
    this.#daemons.push(spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv, ...quiet], { env: this.environment, stdio: 'ignore' }));
  }

  async #until(work) {
    for (let left = PATIENT_MS; ; left -= 50) {
      try {
        return work();
      } catch (error) {
        if (left <= 0) throw error;
        await sleep(50);
      }
    }
  }
}
