import { FileSource } from './file.source.js';
import { HypemanSource } from './hypeman.source.js';
import { KataSource } from './kata.source.js';
import { LibvirtSource } from './libvirt.source.js';
import { RegistrationSource } from './registration.source.js';
import type { SourceEntry } from './source-entry.js';

/** Injection token: the sources of this agent, in order of precedence. */
export const INSTANCE_SOURCES = Symbol('INSTANCE_SOURCES');

/** THE LIST of sources, in order of precedence: who stands first names an instance that several know. */
export const SOURCES: readonly SourceEntry[] = [
  {
    name: 'registration',
    help: 'Instances registered over HTTP; needs source.registration.token-file.',
    enabled: true,
    make: ({ host, settings, checkProcess }) =>
      settings.registrationTokens.length > 0 ? new RegistrationSource(host, settings.registrationStore, checkProcess) : null,
  },
  {
    name: 'file',
    help: 'Instances listed in the file source.file.path.',
    enabled: true,
    make: ({ host, settings }) => (settings.registrationFile === '' ? null : new FileSource(host, settings.registrationFile)),
  },
  {
    name: 'hypeman',
    help: 'Instances of hypeman, from its data directory.',
    enabled: true,
    make: ({ host, settings }) => new HypemanSource(host, settings.hypemanDataDir),
  },
  { name: 'libvirt', help: 'Domains of libvirt, from its run state.', enabled: true, make: ({ host }) => new LibvirtSource(host) },
  {
    name: 'kata',
    help: 'Sandboxes of Kata Containers, from its run directories and processes.',
    enabled: true,
    make: ({ host, settings, discovery }) => new KataSource(host, discovery.source, settings.sources.get('host') === false),
  },
  { name: 'host', help: 'Every VMM process of the host, by evidence.', enabled: true, make: ({ discovery }) => discovery.source },
];
