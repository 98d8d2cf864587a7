import { Outcome } from '../../model/outcome.js';
import { shownUrl, type UpstreamTarget } from '../../model/upstream-url.js';
import type { Cause } from '../upstreams/refusal.js';
import type { UpstreamContact } from '../upstreams/upstream-contact.js';
import { type Finding, type Fix, fix, type Lacking, lacks, type Probe, type Step, works } from './capability.js';
import { setFlag } from './fixes.js';
import { some } from './probe-tools.js';

/** What to do about one that does not answer well. */
const REMEDIES: Readonly<Record<Cause, (contact: UpstreamContact) => Step>> = {
  token: ({ name }) => flag(`--upstream.${name}.token-file=FILE`),
  token_file: ({ settings }) => shell(`ls -l '${plain(settings.tokenFile)}'`),
  ca_file: ({ settings }) => shell(`openssl x509 -noout -text -in '${plain(settings.caFile)}'`),
  certificate: ({ target, settings }) =>
    shell(
      target.kind === 'https'
        ? `openssl s_client -connect '${authorityOf(target)}'${sni(settings.serverName)} </dev/null | openssl x509 -noout -subject -dates -fingerprint -sha256`
        : 'openssl version',
    ),
  rights: () => ({ where: 'kubernetes', line: 'rules: [{nonResourceURLs: [/metrics], verbs: [get]}]' }),
  address: ({ name }) => flag(`--upstream.${name}.url=URL`),
  page: ({ name }) => flag(`--upstream.${name}.url=URL`),
  names: ({ name }) => flag(`--upstream.${name}.allow=vmgauge_,hypeman_,kata_`),
  size: ({ name }) => flag(`--upstream.${name}.allow=PREFIX,…`),
  self: ({ name }) => flag(`--upstream.${name}.url=URL`),
  upstream: ({ settings: { url }, target }) =>
    shell(`curl --verbose ${target.kind === 'unix' ? overSocket(target) : `'${plain(shownUrl(url))}'`}`),
};

type Server = Exclude<UpstreamTarget, { kind: 'unix' }>;
type Socket = Extract<UpstreamTarget, { kind: 'unix' }>;

const flag = (line: string): Step => ({ where: 'vmgauge flag', line });
const shell = (line: string): Step => ({ where: 'shell', line });
const plain = (text: string): string => text.replaceAll("'", '');

/** Where it is asked, as far as that can be no secret. */
const placeOf = (target: UpstreamTarget): string => (target.kind === 'unix' ? `unix:${target.socketPath}` : authorityOf(target));
const authorityOf = ({ host, port }: Server): string => `${host.includes(':') ? `[${plain(host)}]` : plain(host)}:${port}`;
/** Without it a server of many names shows another's certificate; openssl sends the host's itself. */
const sni = (serverName: string): string => (serverName === '' ? '' : ` -servername '${plain(serverName)}'`);
const overSocket = ({ socketPath, path }: Socket): string =>
  `--unix-socket '${plain(socketPath)}' 'http://localhost${plain(shownUrl(path))}'`;

/** Whether other exporters that the configuration names answer. */
export const upstreams: Probe = {
  name: 'upstreams',
  gives: 'what other exporters say, on this agent’s page',
  collectors: [],
  need: 'required',
  find: ({ upstreams: asked, settings }) => {
    const name = setFlag('Name another exporter whose page is to be passed on.', '--upstream.NAME.url=URL');
    if (settings.upstreams.length === 0) {
      return lacks(Outcome.notConfigured, { detail: 'the configuration names none', need: 'none', fix: name });
    }
    if (settings.collectors.get('upstreams') === false) {
      const on = setFlag('Switch it on.', '--collector.upstreams');
      return lacks(Outcome.notConfigured, { detail: 'the configuration switched it off', need: 'none', fix: on });
    }
    return findingOf(asked?.contacts ?? [], settings.upstreams.length);
  },
};

function findingOf(contacts: readonly UpstreamContact[], configured: number): Finding {
  const silent = contacts.flatMap((contact) => (contact.refusal ? [{ contact, refusal: contact.refusal }] : []));
  const answering = contacts.filter(({ outcome }) => outcome === Outcome.ok).length;
  if (silent.length > 0) {
    const lines = silent.map(({ contact: { name, target }, refusal: { why } }) => `upstream ${name} (${placeOf(target)}): ${why}`);
    const outcome: Lacking = silent[0].refusal.outcome;
    return lacks(outcome, { detail: lines.join('; '), need: 'required', fix: remedyFor(silent) });
  }
  if (answering === configured) return works(`${some(answering, 'upstream')} ${answering === 1 ? 'answers' : 'answer'}`);
  const wait = fix('Start the agent, or wait until it has asked once.', ['shell', 'vmgauge doctor']);
  return lacks(Outcome.busy, {
    detail: `${configured - answering} of ${some(configured, 'upstream')} were not asked yet`,
    need: 'none',
    fix: wait,
  });
}

interface Silent {
  readonly contact: UpstreamContact;
  readonly refusal: { readonly cause: Cause };
}

function remedyFor(silent: readonly Silent[]): Fix {
  const steps = silent.map(({ contact, refusal: { cause } }) => REMEDIES[cause](contact));
  const keys = steps.flatMap(({ where, line }) => (where === 'vmgauge flag' ? [line.replace(/^--|=.*/g, '')] : []));
  const words = keys.length === 0 ? '' : ` Keys of the configuration file: ${keys.join(', ')}.`;
  return { text: `Look at each of them, from where the agent runs.${words}`, steps };
}
