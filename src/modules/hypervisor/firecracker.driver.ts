import { ID_PATTERN } from '../../model/instance.js';
import { known } from '../../model/known.js';
import { mibToBytes } from '../../model/units.js';
import { type CommandLine, lastValueOf, parseLongWords } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { identify } from './id-rules.js';
import { type DeclaredNic, joinTaps, parseMac } from './nics.js';
import { runs } from './program.js';
import { type Properties, parseJsonProperties } from './properties.js';
import { parseCount, parseSize } from './quantities.js';

/** What a Firecracker calls itself that was given no id: all of them. */
const NOBODY = 'anonymous-instance';
const DEFAULT_SOCKET = '/run/firecracker.socket';

/** Firecracker, jailed or not, by its command line and the configuration file it names; the rest comes by API and is not seen here. */
export const firecrackerDriver: HypervisorDriver = {
  name: 'firecracker',
  claims: (evidence) => runs(evidence, { startingWith: ['firecracker'] }),
  describe,
};

function describe(evidence: ProcessEvidence): Description {
  const line = parseLongWords(evidence.argv);
  const sockets = apiSockets(line);
  const configuration = readConfiguration(line, evidence);
  return known<Description>({
    id: idOf(line, sockets ?? [], evidence),
    vcpus: parseCount(configuration?.get('machine-config.vcpu_count')) ?? heldVcpus(evidence),
    memoryBytes: parseSize(configuration?.get('machine-config.mem_size_mib'), mibToBytes(1)),
    nics: configuration ? joinTaps(declaredNics(configuration), evidence.taps) : heldNics(evidence),
    sockets,
  });
}

function idOf(line: CommandLine, sockets: readonly string[], { executable, cgroups }: ProcessEvidence): string | undefined {
  const given = lastValueOf(line, 'id');
  if (given !== undefined && given !== NOBODY && ID_PATTERN.test(given)) return given;
  const { id } = identify({ paths: executable === undefined ? sockets : [...sockets, executable], cgroups });
  return id === NOBODY ? undefined : id;
}

/** Inside the jail for a jailed one: the path is the process's own. */
function apiSockets(line: CommandLine): readonly string[] | undefined {
  if (line.options.has('no-api')) return [];
  const path = lastValueOf(line, 'api-sock');
  if (path !== undefined) return [path];
  return line.complete ? [DEFAULT_SOCKET] : undefined;
}

/** undefined where there is no file, or none that could be read and parsed. */
function readConfiguration(line: CommandLine, evidence: ProcessEvidence): Properties | undefined {
  const path = lastValueOf(line, 'config-file');
  const text = path === undefined ? undefined : evidence.readFile(path);
  const configuration = text === undefined ? undefined : parseJsonProperties(text);
  return configuration && configuration.size > 0 ? configuration : undefined;
}

function declaredNics(configuration: Properties): readonly DeclaredNic[] {
  const nics: DeclaredNic[] = [];
  for (let place = 0; ; place++) {
    const member = (name: string): string | undefined => configuration.get(`network-interfaces.${place}.${name}`);
    const interfaceName = member('host_dev_name');
    if (interfaceName === undefined) return nics;
    nics.push(known<DeclaredNic>({ kind: 'tap', interfaceName, mac: parseMac(member('guest_mac')), device: member('iface_id') }));
  }
}
