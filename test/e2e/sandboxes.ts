import { KataFiles, type Readings } from '../kata-files.js';
import type { ParsedFamily, Sample } from './strict-exposition.js';

/** A sandbox of the kata stories, as whoever made the story knows it. */
export interface RecordedSandbox {
  readonly story: string;
  readonly id: string;
  readonly pod: { readonly uid: string; readonly name: string; readonly namespace: string };
  readonly shim: number;
  /** The shim itself for Dragonball. */
  readonly vmm: number;
  /** The one that serves. */
  readonly virtiofsd?: number;
  /** The one that started it and waits. */
  readonly waiting?: number;
  /** Below proc. */
  readonly network: string;
  readonly guestRam: RegExp;
  readonly vhost?: number;
}

const IN_SHM = /^\/dev\/shm\/qemu_back_mem/;

export const SHOP: RecordedSandbox = {
  story: 'kata-go-qemu',
  id: 'b962d4afcc67a811c4fdefbf6e55b5fed69f9c933b01f1f45b3682342dbcccac',
  pod: { uid: 'a04a8228-7918-4ad9-83ea-00c14d3e161c', name: 'web-0', namespace: 'shop' },
  shim: 7101,
  vmm: 7140,
  virtiofsd: 7121,
  waiting: 7120,
  network: '7140/net/dev',
  guestRam: IN_SHM,
  vhost: 7149,
};

export const STAGING: RecordedSandbox = {
  story: 'kata-go-qemu',
  id: 'd037150f28d3898e169ebc78d5a7efababb47361d1ba00f060c2eb1b653b79ff',
  pod: { uid: '808a880a-f450-4ed6-8b86-a40f9fc3640b', name: 'web-0', namespace: 'staging' },
  shim: 7201,
  vmm: 7240,
  virtiofsd: 7221,
  waiting: 7220,
  network: '7240/net/dev',
  guestRam: IN_SHM,
  vhost: 7249,
};

export const DATABASE: RecordedSandbox = {
  story: 'kata-go-clh',
  id: 'b97dfae87ec6ccacb2c7478baad42ea883d7a7d3d91113dba43bd2f5c5b294db',
  pod: { uid: '07addbca-1fa7-4d9b-8b88-cda8e1bc0074', name: 'db-0', namespace: 'data' },
  shim: 7301,
  vmm: 7340,
  virtiofsd: 7320,
  network: '7340/net/dev',
  guestRam: /^\/memfd:ch_ram /,
};

export const QUEUE: RecordedSandbox = {
  story: 'kata-rs-qemu',
  id: '7759f45f2cb84126c4fa77904bec2deebb328b81245355c12b8130c010a37308',
  pod: { uid: '99ac6631-a462-4b30-8d3f-b2976820e538', name: 'queue-2', namespace: 'mail' },
  shim: 7401,
  vmm: 7440,
  virtiofsd: 7421,
  waiting: 7420,
  network: '7440/net/dev',
  guestRam: /^\/dev\/hugepages\//,
};

export const CACHE: RecordedSandbox = {
  story: 'kata-rs-dragonball',
  id: '694cb700fb3cee58deda17c9b9a5be783c5ab0a19b7a3f7ef7608ebd675d1ce7',
  pod: { uid: '7c8a702a-6831-4db9-844b-06eac492fcfc', name: 'cache-3', namespace: 'edge' },
  shim: 7601,
  vmm: 7601,
  network: '7601/task/7610/net/dev',
  guestRam: /^\/memfd:shmem /,
};

export const SANDBOXES: readonly RecordedSandbox[] = [SHOP, STAGING, DATABASE, QUEUE, CACHE];

/** Of one sandbox or all, in the story that has it. */
export const JOINED_CONTAINERS = {
  'kata-go-qemu': '5d3329b121ca78edf6a9a8fc2479cd32c1f46e77b57e3ec6dad452c43f148df1',
  'kata-rs-dragonball': '2bfff9dbdf2d8cf2bc6e87cca092aa655e4d2152e589d1418a54a758cdbcf063',
};
/** persist.json whose VMM's pid is nginx's by now. */
export const STALE = { story: 'kata-go-clh', id: '342ed250695dd9c118fa2f18f5bf9877cd0488eee6c28a3d90f10aaeb18d3ce2', pid: 7390 };
export const OF_RUNC = { story: 'kata-go-clh', id: '079de83af1f591d38739d3cef719c45f0b92ff6c5e5388ad9779bc086b7edf33', pid: 7390 };
/** Its VMM has ended. */
export const ABANDONED = { story: 'kata-rs-qemu', id: 'a414acab24bac16891c1616771dcc2e5fef64cbcfe510894f379a95f281b9478', shim: 7501 };
/** Its shim has not started the VMM yet. */
export const BOOTING = { story: 'kata-rs-dragonball', id: 'f21e28b1a5471df5ed079804a7e34ee03363ffc2f8356905c9d1bf8c846bf4dd', shim: 7701 };

/** Everything that Kata's families must say of a sandbox but the overhead. */
export function readingsOf({ shim, vmm, virtiofsd, network }: RecordedSandbox, files: KataFiles): Readings {
  const separate = vmm !== shim;
  return new Map([
    ...files.ofProcess('shim', shim),
    ...(separate ? files.ofProcess('hypervisor', vmm) : []),
    ...(virtiofsd === undefined ? [] : files.ofProcess('virtiofsd', virtiofsd)),
    ...files.interfaces('kata_shim_netdev', network),
    ...(separate ? files.interfaces('kata_hypervisor_netdev', network) : []),
  ]);
}

const OF_SANDBOX = ['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace'];

/** Series of a page that are about one sandbox, without the labels that say so. */
export function seriesOf(page: ReadonlyMap<string, ParsedFamily>, id: string, wanted = /^kata_/): Readings {
  const own = (sample: Sample): boolean => wanted.test(sample.name) && sample.labels.get('sandbox_id') === id;
  return new Map([...page.values()].flatMap(({ samples }) => samples.filter(own).map((sample) => [keyOf(sample), sample.value] as const)));
}

/** Name and labels as text, labels sorted, those of the sandbox left out. */
export function keyOf({ name, labels }: Sample): string {
  const own = [...labels].filter(([label]) => !OF_SANDBOX.includes(label)).sort(([a], [b]) => (a < b ? -1 : 1));
  return own.length === 0 ? name : `${name}{${own.map(([label, value]) => `${label}="${value}"`).join()}}`;
}
