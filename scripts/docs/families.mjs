// Every family that can stand on /metrics: the declared ones from the tables, the agent's own from pages about recorded hosts.
import { fileURLToPath } from 'node:url';
import { register } from 'prom-client';
import { VMM_EXECUTABLES } from '../../dist/config/vmm-executables.js';
import { declaredMetrics } from '../../dist/model/collector.js';
import { Tables } from '../../dist/model/tables.js';
import { COLLECTORS } from '../../dist/modules/collection/collectors.js';
import { HostCollection } from '../../dist/modules/collection/host-collection.js';
import { Exposition } from '../../dist/modules/metrics/exposition.js';
import { TEXT } from '../../dist/modules/metrics/format.js';
import { SelfFamilies } from '../../dist/modules/metrics/self.js';
import { makeApp } from '../openapi/app.mjs';

/** On these every family of the agent's own has a sample. */
const HOSTS = ['two-qemu', 'kata-go-qemu'];
/** Labels are told by a sample; this host has none. */
const UNSEEN = new Map();
const SANDBOX = ['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace'];
const LABELS = {
  id: ['instance_id'],
  id_and_name: ['instance_id', 'instance_name'],
  interface: ['instance_id', 'interface'],
  sandbox: SANDBOX,
  sandbox_interface: ['interface', ...SANDBOX],
  sandbox_vmm_interface: ['interface', ...SANDBOX],
  vcpu: ['instance_id', 'vcpu'],
  disk: ['instance_id', 'device'],
  vnic: ['instance_id', 'device'],
  kvm_exit: ['instance_id', 'reason'],
  kvm_event: ['instance_id', 'event'],
  switch_port: ['instance_id', 'port'],
  id_name_namespace: ['instance_id', 'instance_name', 'namespace'],
  cgroup_device: ['instance_id', 'device'],
  traced_process: ['instance_id', 'process_name'],
  traced_process_named: ['instance_id', 'instance_name', 'namespace', 'process_name'],
};

/**
 * Sorted by name.
 * @returns name, type, unit, help, labels (name and, where they are fixed, values), places in the stats document, group, tier
 */
export async function families() {
  const found = new Map();
  for (const host of HOSTS) {
    for (const family of await familiesOf(host)) {
      const known = found.get(family.name);
      if (!known || known.labels === UNSEEN) found.set(family.name, family);
    }
  }
  const silent = [...found.values()].find(({ labels }) => labels === UNSEEN);
  if (silent) throw new Error(`${silent.name} has no sample on any recorded host: its labels cannot be told`);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function familiesOf(name) {
  // The client library has one registry a process.
  register.clear();
  const host = fileURLToPath(new URL(`../../fixtures/hosts/${name}/`, import.meta.url));
  const app = await makeApp({
    roots: { proc: `${host}proc`, sys: `${host}sys`, cgroup: `${host}sys/fs/cgroup`, run: `${host}run` },
    settings: { executables: VMM_EXECUTABLES, hypemanDataDir: `${host}var/lib/hypeman` },
  });
  try {
    await app.init();
    const get = (token) => app.get(token, { strict: false });
    const declared = declaredFamilies(get(Tables), get);
    const { bytes, release } = await get(Exposition).page(TEXT, {});
    const ofHost = get(HostCollection).states.map(({ collector }) => ({ about: collector.about, families: collector.families() }));
    const owners = new Map(ofHost.flatMap(({ about, families }) => families.map(({ name }) => [name, about])));
    const owned = (family) => ({
      ...family,
      ...(owners.has(family.name) ? { group: owners.get(family.name).name, tier: owners.get(family.name).tier } : {}),
    });
    const shown = ownFamilies(bytes.toString())
      .filter((family) => !declared.some((one) => one.name === family.name))
      .map(owned);
    release();
    const unseen = [...get(SelfFamilies).families(), ...ofHost.flatMap(({ families }) => families)]
      .filter((family) => !shown.some((one) => one.name === family.name))
      .map((family) => (family.labelNames ? owned(ownFamily(family)) : { name: family.name, labels: UNSEEN }));
    return [...declared, ...shown, ...unseen];
  } finally {
    await app.close();
  }
}

function declaredFamilies(tables, get) {
  const owners = new Map(
    COLLECTORS.flatMap((Listed) => {
      const collector = get(Listed);
      return declaredMetrics(collector).map((metric) => [metric, collector.about]);
    }),
  );
  const found = new Map();
  for (const { metric } of tables.columns) {
    for (const { family, labels = {} } of metric.families) {
      const about = owners.get(metric);
      const { name, type, unit, help, identity } = family;
      const known = found.get(name) ?? {
        ...{ name, type, unit, help, group: about?.name ?? 'self', tier: about?.tier ?? 'sweep', places: [] },
        labels: new Map(LABELS[identity].map((label) => [label, []])),
      };
      if (metric.words) known.labels.set(metric.words.label, [...metric.words.list]);
      for (const [label, value] of Object.entries(labels)) known.labels.set(label, [...(known.labels.get(label) ?? []), value]);
      if (about && metric.json !== '') known.places.push(placeOf(metric, identity));
      found.set(name, known);
    }
  }
  return [...found.values()];
}

/** Where the rows of a table of parts stand in the stats document. */
const PLACES = {
  vcpu: 'cpu.vcpus[]',
  disk: 'disks[]',
  vnic: 'network.devices[]',
  switch_port: 'network.switch_ports[]',
  cgroup_device: 'limits.io.devices[]',
  traced_process: 'events.processes[]',
  traced_process_named: 'events.processes[]',
};
/** Tables of one column stand there as an object: a member a row. */
const MEMBERS = { kvm_exit: 'exits.kvm.reasons', kvm_event: 'exits.kvm.events' };

const placeOf = ({ json, alias }, identity) => {
  if (identity === 'interface') return `network.interfaces[].${json}`;
  if (identity === 'sandbox_interface' || identity === 'sandbox_vmm_interface') return `shim.interfaces[].${json}`;
  if (identity in MEMBERS) return MEMBERS[identity];
  const part = PLACES[identity];
  if (part !== undefined) return `${part}.${json}`;
  // Where there are two, the vmgauge family is at home in the group.
  return identity === 'id' && alias !== undefined ? alias : json;
};

const ownFamily = ({ name, type, unit, help, labelNames }) => ({
  ...{ name, type, unit, help, group: 'self', tier: 'sweep', places: [] },
  labels: new Map(labelNames.map((label) => [label, []])),
});

/** What a page says of the families on it: words, and the labels of the first sample. */
function ownFamilies(page) {
  return [...page.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)\n(.*)$/gm)].map(([, name, help, type, sample]) => ({
    ...{ name, type, unit: /_(seconds|bytes|ratio)(_total)?$/.exec(name)?.[1], help, group: 'self', tier: 'sweep', places: [] },
    labels: new Map([...sample.matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => [label, []])),
  }));
}

/** `instance_id`, `mode` (user, system). */
export const labelWords = (labels) =>
  [...labels]
    .map(([label, values]) => [label, [...new Set(values)]])
    .map(([label, values]) => (values.length === 0 || values.length > 6 ? `\`${label}\`` : `\`${label}\` (${values.join(', ')})`))
    .join(', ');
