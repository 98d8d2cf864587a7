import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { type InstanceRecord, type InstanceState, NAME_LIMIT, type Nic, type NicKind } from '../../model/instance.js';
import { MalformedError } from './problems.js';
import { INTERFACE_NAME, MAC, UUID } from './spellings.js';

const MAX_INTERFACES = 256;

/** virDomainState as libvirt spells it; the reason in one case says more. */
const STATES: Readonly<Record<string, InstanceState>> = {
  running: 'running',
  blocked: 'running',
  paused: 'paused',
  pmsuspended: 'paused',
  shutdown: 'stopped',
  shutoff: 'stopped',
  crashed: 'stopped',
};

const KINDS: Readonly<Record<string, NicKind>> = {
  direct: 'macvtap',
  user: 'user',
  vhostuser: 'vhost-user',
  hostdev: 'passthrough',
  vdpa: 'vdpa',
  server: 'socket',
  client: 'socket',
  mcast: 'socket',
  udp: 'socket',
};

/** Letters of virScaleInteger; alone or with iB they are powers of 1024, with B of 1000. */
const POWERS = ['', 'k', 'm', 'g', 't', 'p', 'e'];

// Entities stay as written, so that none can grow; prototypes are the parser's own care. Nesting is limited to 100 by default.
const PARSER = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

/**
 * A libvirt run state file, <run>/libvirt/qemu/<domain>.xml: `domstatus` around the live `domain` (formatdomain.html). It may hold VNC and
 * SPICE passwords, so nothing but the listed fields is kept.
 * @throws MalformedError
 */
export function parseRunState(text: string): InstanceRecord {
  const status = child(parseXml(text), 'domstatus');
  const domain = child(status, 'domain');
  const uuid = textOf(child(domain, 'uuid'));
  if (!UUID.test(uuid)) throw new MalformedError('no uuid');
  const pid = wholeNumber(attribute(status, 'pid'));
  const monitor = attribute(child(status, 'monitor'), 'path');
  const id = uuid.toLowerCase();
  return {
    id,
    uuid: id,
    hypervisor: 'qemu',
    name: nonEmpty(textOf(child(domain, 'name')).slice(0, NAME_LIMIT)),
    state: stateOf(status),
    // libvirt gives every domain its -uuid: a run file that outlived its VM cannot point at another one.
    process: pid === undefined ? undefined : { pid, argument: id, mustBeVmm: true },
    vcpus: wholeNumber(attribute(child(domain, 'vcpu'), 'current') || textOf(child(domain, 'vcpu'))),
    // As `-m` has it. currentMemory is what the balloon leaves of it, and moves.
    memoryBytes: memoryBytes(child(domain, 'memory')) ?? memoryBytes(child(domain, 'currentMemory')),
    nics: children(child(domain, 'devices'), 'interface').slice(0, MAX_INTERFACES).map(nicOf),
    sockets: monitor === '' ? [] : [monitor],
  };
}

function parseXml(text: string): unknown {
  if (text.trim() === '') throw new MalformedError('the file is empty');
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw new MalformedError('it has a document type, which libvirt never writes');
  // The parser alone takes the first half of a document for the whole. Messages of both quote the text.
  if (XMLValidator.validate(text) !== true) throw new MalformedError('not XML, or only a part of it');
  try {
    return PARSER.parse(text);
  } catch {
    throw new MalformedError('not XML that libvirt would write');
  }
}

function stateOf(status: unknown): InstanceState {
  const state = attribute(status, 'state');
  if (state === 'paused' && attribute(status, 'reason') === 'starting up') return 'initializing';
  return Object.hasOwn(STATES, state) ? STATES[state] : 'unknown';
}

/** Bytes; undefined where the unit is none of libvirt's or the value is beyond 2^53. Without a unit it is KiB. */
function memoryBytes(element: unknown): number | undefined {
  const amount = wholeNumber(textOf(element));
  const unit = /^(?:b|bytes?|([kmgtpe])(ib|b)?)$/i.exec(attribute(element, 'unit') || 'KiB');
  if (amount === undefined || unit === null) return undefined;
  const [, prefix = '', suffix = 'ib'] = unit;
  const base = suffix.toLowerCase() === 'b' ? 1000 : 1024;
  const bytes = amount * base ** POWERS.indexOf(prefix.toLowerCase());
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A NIC of a libvirt network says in `actual` what became of it. */
function nicOf(element: unknown): Nic {
  const type = attribute(child(element, 'actual'), 'type') || attribute(element, 'type');
  const target = attribute(child(element, 'target'), 'dev');
  const mac = attribute(child(element, 'mac'), 'address');
  const alias = attribute(child(element, 'alias'), 'name');
  const device = INTERFACE_NAME.test(target) ? target : undefined;
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : device === undefined ? 'other' : 'tap';
  return {
    kind,
    // A target of the other kinds is a port of a switch in user space or nothing.
    name: kind === 'tap' || kind === 'macvtap' ? device : undefined,
    mac: MAC.test(mac) ? mac.toLowerCase() : undefined,
    // qemuBuildHostNetProps: the back end's id is "host" and the alias. Devices of the host have no back end.
    device: alias === '' ? undefined : kind === 'passthrough' ? alias : `host${alias}`,
  };
}

const nonEmpty = (text: string): string | undefined => (text === '' ? undefined : text);

function wholeNumber(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return value > 0 && Number.isSafeInteger(value) ? value : undefined;
}

function children(element: unknown, name: string): readonly unknown[] {
  if (typeof element !== 'object' || element === null || !Object.hasOwn(element, name)) return [];
  const found: unknown = Reflect.get(element, name);
  return Array.isArray(found) ? found : [found];
}

const child = (element: unknown, name: string): unknown => children(element, name)[0];
const attribute = (element: unknown, name: string): string => textOf(child(element, `@${name}`));

/** An element with attributes is an object with its text in a member; the empty string where there is none. */
function textOf(element: unknown): string {
  const text = typeof element === 'object' ? child(element, '#text') : element;
  return typeof text === 'string' ? ownCopy(decodeEntities(text)) : '';
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi, (whole, name?: string, dec?: string, hex?: string) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()];
    const code = dec === undefined ? Number.parseInt(hex ?? '', 16) : Number(dec);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** A piece of a string keeps the whole of it in memory in V8, here with passwords: the record gets a copy. */
const ownCopy = (text: string): string => Buffer.from(text).toString();
