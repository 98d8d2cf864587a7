import { loadConfig } from '../../src/config/load.js';
import type { UpstreamSettings } from '../../src/model/upstream.js';
import { COLLECTORS } from '../../src/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { SOURCES } from '../../src/modules/instances/sources.js';
import { settingsOf } from '../../src/settings-of.js';

/** What the agent makes of a configuration file; files that it names are not there. @throws ConfigError */
export function settingsIn(yaml: string): { readonly upstreams: readonly UpstreamSettings[]; readonly warnings: readonly string[] } {
  const invocation = loadConfig({
    argv: ['--config.file=/etc/vmgauge.yaml'],
    env: {},
    readFile: () => yaml,
    known: {
      collectors: [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => ({ name: about.name, enabled: about.enabled, help: about.reads })),
      sources: SOURCES.map(({ name, enabled, help }) => ({ name, enabled, help })),
    },
  });
  if (!('config' in invocation)) throw new Error(`no configuration but ${invocation.kind}`);
  const { upstreams = [] } = settingsOf(invocation.config, () => '');
  return { upstreams, warnings: invocation.warnings };
}
