// docs/metrics.md and the table of the README.
import { OUTCOMES, outcomeWords } from '../../dist/model/outcome.js';
import { COLLECTORS } from '../../dist/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../dist/modules/collection/host-collectors.js';
import { labelWords } from './families.mjs';
import { cell, code, codes, table } from './markdown.mjs';

export const metricsTable = (families) =>
  table(
    ['Family', 'Type', 'Labels', 'From', 'What it says'],
    families.map(({ name, type, labels, group, help }) => [code(name), type, labelWords(labels), group, cell(help)]),
  );

const TIERS = {
  sweep: 'every sweep: for a request when the last one is older than `collection.max-age`, else each `collection.interval`',
  slow: 'each `collection.slow-interval`, spread over the instances',
  threads: 'each `collector.wait.interval`, because it reads a file for each thread',
  timer: 'on a timer of its own, beside the sweeps',
  detached: 'one instance after the other beside the sweeps, each `collector.pss.interval`',
};

/** What a reason means and what changes it. */
const REASONS = {
  gone: [
    'The process, or the interface, is no longer there.',
    'Nothing: a stopped instance keeps its last sample, an interface is looked for again.',
  ],
  not_configured: [
    'There is nothing to read: no NIC, no vhost thread, nothing known of vCPUs and memory, a VMM without a door for the agent or whose socket file is gone, a shim that nobody allowed to be asked, or the collector is off.',
    '`--collector.<name>` or `shim.socket-runtimes`, where that is the reason; for VMMs `vmgauge doctor` says how to open a door.',
  ],
  not_permitted: [
    'The agent may not read the file, may not write to the VMM’s socket, or the door is somebody else’s: a monitor of libvirt, a socket that the VMM does not listen on.',
    'root, CAP_SYS_PTRACE for files, write permission for a socket; for somebody else’s monitor one of the agent’s own.',
  ],
  unsupported: [
    'This host, device or VMM does not show it: a passed-through, vhost-user or user-mode NIC; which threads are vCPUs, for pod overhead of a QEMU that does not name them; a shim that must not be asked; a topic of which the VMM tells nothing.',
    'For a NIC the guest may know; for vCPUs `enable_debug` of Kata names the threads, or the kernel has accounted guest time after a while.',
  ],
  lockdown: ['The kernel forbids it to everybody.', 'Kernel lockdown, lifted at boot.'],
  migrating: ['The VM moves between hosts and its numbers belong to both.', 'It passes.'],
  timeout: ['The answer did not come in time.', 'It is tried again.'],
  malformed: [
    'The text was not what the kernel or program prints; a monitor that was started with `-qmp-pretty` is not understood.',
    'A defect of one of the two: please report it. `-qmp` for the monitor.',
  ],
  too_large: ['The text was longer than is read; of a shim, its guest may be the reason.', 'Please report it, unless it is a shim’s.'],
  busy: [
    'Its first turn has not come, descriptors ran out, or somebody else is connected to the VMM’s monitor.',
    'It passes, the limit of open files is raised, or whoever is connected leaves: another agent on this host?',
  ],
  io_error: [
    'Reading failed in another way; a shim refused, answered an error or broke off.',
    'The log of the kernel, or of the shim, may say more.',
  ],
};

function reasonRows() {
  const words = OUTCOMES.map(outcomeWords).filter(({ reason }) => reason !== undefined);
  const stray = Object.keys(REASONS).filter((known) => !words.some(({ reason }) => reason === known));
  if (stray.length > 0) throw new Error(`no outcome has the reason ${stray.join(', ')}`);
  return words.map(({ outcome, reason }) => {
    if (!REASONS[reason]) throw new Error(`the reason ${reason} is not described`);
    const [meaning, remedy] = REASONS[reason];
    return [code(reason), outcome, cell(meaning), cell(remedy)];
  });
}

const ADDED_LABELS = [
  ['Podtrace’s', codes(['instance_id', 'instance_name']), 'Podtrace looks at one pod at a time; here all VMs of a host are on one page'],
  ['Podtrace’s', code('namespace'), 'of the pod, for a Kata sandbox; empty otherwise. Podtrace has it, and leaves it empty for limits'],
  [
    'Podtrace’s of file operations',
    code('operation'),
    'read, write or fsync, which Podtrace’s document promises as a value of `type` and its program never gives: `type` is `FS`',
  ],
  ['Dragonball’s of vCPUs', code('cpu_id'), 'the shim gives it; Kata’s document leaves it out'],
  [
    'Kata’s',
    codes(['cri_uid', 'cri_name', 'cri_namespace']),
    'which pod it is, as kata-monitor adds them; `kata.cri-labels` leaves them out',
  ],
  ['Of another exporter', code('upstream'), 'who said it; a label of that name becomes `exported_upstream`'],
];

export const metricsPage = (families) => `# Metrics

<!-- Generated from the declarations: node scripts/docs.mjs -->

Everything on \`/metrics\`, sorted. Units are those of the names: seconds, bytes, ratios. Counters start with the VMM process
(\`vmgauge_vm_start_time_seconds\`). The network is seen from the guest. A value that is not known has no sample and is null in the stats
document; \`vmgauge_collector_outcome\` and the member \`collectors\` say why.

Each family belongs to one group, which is what \`collect[]\` and \`exclude[]\` name: a collector, or \`self\` for what the agent says of its own
work. In OpenMetrics a counter's family is called without \`_total\`.

## Families

${table(
  ['Family', 'Type', 'Unit', 'Labels', 'In the stats document', 'Group', 'What it says'],
  families.map(({ name, type, unit, labels, places, group, help }) => [
    code(name),
    type,
    unit ?? '',
    labelWords(labels),
    codes(places),
    group,
    cell(help),
  ]),
)}

## Labels that were added

Families that others named have the labels that they gave them. These stand beside them, so that what is about one VM can be told from another; a query
that does not name them goes on as before.

${table(['Families', 'Label', 'Why'], ADDED_LABELS)}

## Collectors

${table(
  ['Collector', 'When', 'Default', 'Reads'],
  [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => [code(about.name), about.tier, about.enabled ? 'on' : 'off', cell(about.reads)]),
)}

${table(
  ['When', 'That is'],
  Object.entries(TIERS).map(([tier, words]) => [tier, words]),
)}

## Why a value is missing

${table(['Reason', 'Outcome', 'What it means', 'What changes it'], reasonRows())}
`;

for (const { about } of [...COLLECTORS, ...HOST_COLLECTORS])
  if (!TIERS[about.tier]) throw new Error(`the tier ${about.tier} is not described`);
