import { Outcome } from '../../model/outcome.js';
import { TRACING_BLOCKS, type TracingBlock } from '../../model/settings.js';
import type { Hindrance } from '../events/trace-source.js';
import type { BlockReason, BlockStates } from '../events/words.js';
import { type Finding, type Fix, fix, type Lacking, lacks, type Need, type Probe, works } from './capability.js';
import { setFlag } from './fixes.js';
import { type ProbeTools, running } from './probe-tools.js';

/** Whether latencies of VMs can be traced in the kernel, and which. */
export const eventTracing: Probe = {
  name: 'event_tracing',
  gives: 'how long VMs wait for the CPU, the network, DNS and their disks, as histograms',
  collectors: ['latency', 'tracing'],
  need: 'optional',
  find: (tools) => {
    const { settings, tracing } = tools;
    if (settings.tracing === 'off') return switchedOff('the configuration switched it off', '--tracing.mode=auto');
    if (settings.collectors.get('tracing') === false)
      return switchedOff('the configuration switched its collector off', '--collector.tracing');
    const need: Need = settings.tracing === 'on' ? 'required' : running(tools).length > 0 ? 'optional' : 'none';
    if (!tracing) return switchedOff('nobody traces here', '--collector.tracing');
    const hindrance = tracing.lookNow();
    if (hindrance) return without(hindrance, tools, need);
    const { blocks } = tracing;
    if (!tracing.isUp || !blocks) return waiting(blocks, need);
    const missing = settings.tracingBlocks.filter((block) => blocks[block] !== null);
    if (missing.length === 0) return works(`bpftrace runs with ${settings.tracingBlocks.join(', ')}`);
    return partly(blocks, missing, need);
  },
};

const switchedOff = (detail: string, line: string): Finding =>
  lacks(Outcome.notConfigured, { detail, need: 'none', fix: setFlag('Switch it on.', line) });

function waiting(blocks: BlockStates | null, need: Need): Finding {
  const hasCrashed = blocks !== null && TRACING_BLOCKS.some((block) => blocks[block] === 'crashed');
  if (!hasCrashed) return works('nothing that is known hinders it; bpftrace runs while there are VMs');
  return lacks(Outcome.ioError, {
    detail: 'bpftrace ended by itself and is started again after a pause',
    need,
    fix: fix('Its last words are in the log of this agent; memory that ran out is one reason.', ['shell', 'journalctl --dmesg --lines=50']),
  });
}

/** Some blocks are on. */
function partly(blocks: BlockStates, missing: readonly TracingBlock[], need: Need): Finding {
  const reasons = missing.map((block) => `${block} (${blocks[block]})`);
  return lacks(Outcome.unsupported, {
    detail: `bpftrace runs without ${reasons.join(', ')}`,
    // The blocks that are on are what was asked for, as far as this kernel goes.
    need: need === 'required' ? 'optional' : need,
    fix: kernel,
  });
}

function without({ reason, words }: Hindrance, tools: ProbeTools, need: Need): Finding {
  const [outcome, remedy] = REMEDIES[reason](tools);
  return lacks(outcome, { detail: words, need, fix: remedy });
}

const kernel = fix(
  'Run a newer kernel, with these options: bytes takes Linux 6.3, round trips take 6.10, dns and plain-files take BTF. Or leave out what it cannot.',
  ['shell', "grep -E 'CONFIG_(BPF_SYSCALL|BPF_EVENTS|FTRACE_SYSCALLS|DEBUG_INFO_BTF)=' /boot/config-$(uname -r)"],
  ['vmgauge flag', '--tracing.blocks=cpu,tcp,files'],
);

const helper: Fix = fix(
  'Run a helper as root and name its socket, or run the agent as root in the PID namespace of the host: bpftrace refuses every other user.',
  ['shell', 'sudo vmgauge trace --socket=/run/vmgauge-trace.sock --socket-group=GROUP'],
  ['vmgauge flag', '--tracing.helper-socket=/run/vmgauge-trace.sock'],
  ['systemd unit', 'User=root'],
  ['docker run', '--user=0 --privileged --pid=host'],
  ['kubernetes', 'hostPID: true; securityContext: {runAsUser: 0, privileged: true}'],
);

const REMEDIES: Readonly<Record<BlockReason, (tools: ProbeTools) => readonly [Lacking, Fix]>> = {
  no_bpftrace: ({ settings }) => [
    Outcome.notConfigured,
    fix(
      'Install bpftrace 0.17 or later, or say where it is.',
      ['shell', 'apt-get install bpftrace'],
      ['vmgauge flag', settings.tracingProgram.includes('/') ? '--tracing.program=bpftrace' : '--tracing.program=FILE'],
    ),
  ],
  no_tracefs: ({ host }) => [
    Outcome.notConfigured,
    fix(
      'Mount tracefs.',
      ['shell', `mount -t tracefs tracefs ${host.sys('kernel', 'tracing')}`],
      ['docker run', '--volume=/sys/kernel/tracing:/sys/kernel/tracing:ro'],
      [
        'kubernetes',
        'volumes: [{name: NAME, hostPath: {path: /sys/kernel/tracing}}]; volumeMounts: [{name: NAME, mountPath: /sys/kernel/tracing}]',
      ],
    ),
  ],
  no_permission: () => [Outcome.notPermitted, helper],
  lockdown: () => [
    Outcome.lockdown,
    fix('Start the kernel without it, or locked down for integrity only.', ['kernel command line', 'lockdown=integrity']),
  ],
  no_btf: () => [Outcome.unsupported, kernel],
  missing_tracepoint: () => [Outcome.unsupported, kernel],
  verifier: () => [Outcome.unsupported, kernel],
  crashed: () => [
    Outcome.ioError,
    fix('Try whether it runs at all; a few lines are good.', ['shell', "bpftrace -e 'interval:s:1 { exit(); }'"]),
  ],
  no_helper: ({ settings }) => [
    Outcome.notConfigured,
    fix('Start the helper, as root.', ['shell', `vmgauge trace --socket=${plainPath(settings.tracingHelperSocket)} --socket-group=GROUP`]),
  ],
  not_wanted: () => [Outcome.notConfigured, setFlag('Name what is to be traced.', '--tracing.blocks=cpu,tcp,bytes,dns,files')],
};

/** A line is for a shell. */
const plainPath = (path: string): string => (/^[\w./-]+$/.test(path) ? path : 'FILE');
