import { join } from 'node:path';
import { Outcome } from '../../model/outcome.js';
import type { Settings } from '../../model/settings.js';
import { KATA_ROOTS } from '../instances/kata-directories.js';
import { SOURCES } from '../instances/sources.js';
import { type Finding, type Fix, fix, lacks, type Probe, works } from './capability.js';
import { giveRights, mountDirectory, setFlag } from './fixes.js';
import { codeOf, type ProbeTools, some } from './probe-tools.js';
import { uncertain } from './seen.js';

const PROBLEMS_SHOWN = 3;

/** What must be known of a source besides that it is one. */
interface Place {
  /** Directories it looks into; one of them is enough. */
  readonly directories?: (tools: ProbeTools) => readonly string[];
  /** A file that the configuration names. */
  readonly file?: (settings: Settings) => string;
  /** What to do where its settings leave it out. */
  readonly setting?: Fix;
}

const PLACES: Readonly<Record<string, Place>> = {
  registration: {
    setting: setFlag('Name a file of bearer tokens that may register instances.', '--source.registration.token-file=FILE'),
  },
  file: {
    file: ({ registrationFile }) => registrationFile,
    setting: setFlag('Name a file that lists instances.', '--source.file.path=FILE'),
  },
  hypeman: { directories: ({ settings }) => [join(settings.hypemanDataDir, 'guests')] },
  libvirt: { directories: ({ host }) => [host.run('libvirt', 'qemu')] },
  kata: { directories: ({ host }) => Object.values(KATA_ROOTS).map((root) => host.run(root)) },
};

/** One for each source of THE LIST. */
export const sourceProbes: readonly Probe[] = SOURCES.map(({ name, help }) => ({
  name: `source_${name}`,
  gives: help.replace(/\.$/, ''),
  collectors: [],
  need: 'required',
  find: (tools) => findSource(name, tools),
}));

async function findSource(name: string, tools: ProbeTools): Promise<Finding> {
  const { sources, registry, settings } = tools;
  const place = PLACES[name] ?? {};
  if (settings.sources.get(name) === false) return offBy(setFlag('Switch it on.', `--source.${name}`), 'the configuration switched it off');
  if (!sources.some((source) => source.name === name)) {
    return offBy(place.setting ?? setFlag('Switch it on.', `--source.${name}`), 'the configuration does not ask for it');
  }
  const lacking = await lackOf(name, place, tools);
  if (lacking) return lacking;
  const status = registry.sources.find((one) => one.name === name);
  if (status?.ok) return noneSeen(name, status.instances, tools) ?? works(wordsOf(name, status.instances, tools));
  return lacks(status?.lastSuccessMs === null && status.error === null ? Outcome.busy : Outcome.ioError, {
    detail:
      status?.error === null
        ? 'it was not asked yet'
        : 'it failed when it was last asked, and what it said before stays in force; the log says why',
    need: 'required',
    fix: fix('Read what the agent said of it.', ['shell', `journalctl --unit=vmgauge | grep "source ${name}"`]),
  });
}

const offBy = (remedy: Fix, detail: string): Finding => lacks(Outcome.notConfigured, { detail, need: 'none', fix: remedy });

/** What is wrong with the place that it looks into. */
async function lackOf(name: string, { directories, file }: Place, tools: ProbeTools): Promise<Finding | undefined> {
  const path = file?.(tools.settings);
  if (path !== undefined && !(await tools.look.isThere(path))) {
    return lacks(Outcome.gone, {
      detail: `${path} is not there`,
      need: 'required',
      fix: fix(
        'Put the file there, or name another.',
        ['shell', `ls -l '${path.replaceAll("'", '')}'`],
        ['vmgauge flag', '--source.file.path=FILE'],
      ),
    });
  }
  const wanted = directories?.(tools) ?? [];
  if (wanted.length === 0) return undefined;
  const seen = await Promise.all(wanted.map((directory) => visit(directory, tools)));
  const refused = wanted.find((_, i) => seen[i] === 'refused');
  if (refused !== undefined) {
    return lacks(Outcome.notPermitted, { detail: `${refused} may not be looked into`, need: 'required', fix: giveRights });
  }
  if (seen.includes('there')) return undefined;
  return lacks(Outcome.gone, {
    detail: `${wanted.join(' and ')} ${wanted.length === 1 ? 'is' : 'are'} not there: ${name} does not run here, or keeps its state elsewhere`,
    need: 'none',
    fix: whereItIs(name, wanted[0]),
  });
}

async function visit(directory: string, { look }: ProbeTools): Promise<'there' | 'missing' | 'refused'> {
  try {
    await look.names(directory, 1);
    return 'there';
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    if (code === 'EACCES' || code === 'EPERM') return 'refused';
    throw error;
  }
}

function whereItIs(name: string, directory: string): Fix {
  const { text, steps } = mountDirectory(`Where ${name} runs on this host, let the agent see its directory.`, directory);
  const flag = name === 'hypeman' ? '--source.hypeman.data-dir=DIR' : '--path.run=DIR';
  return { text, steps: [...steps, { where: 'vmgauge flag', line: flag }] };
}

/** The one source that finds a VM by looking into processes. */
const noneSeen = (name: string, instances: number, tools: ProbeTools): Finding | undefined =>
  name === 'host' && instances === 0 ? uncertain('no VMM that can be seen runs', tools) : undefined;

/** Lines about what was passed over are fit to be shown, InstanceSource. */
function wordsOf(name: string, instances: number, { sources }: ProbeTools): string {
  const problems = [...(sources.find((source) => source.name === name)?.problems ?? [])];
  const found = some(instances, 'instance');
  if (problems.length === 0) return found;
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(([entry, problem]) => `${entry}: ${problem}`);
  const more = problems.length > PROBLEMS_SHOWN ? [`${problems.length - PROBLEMS_SHOWN} more`] : [];
  return `${found}; passed over: ${[...shown, ...more].join('; ')}`;
}
