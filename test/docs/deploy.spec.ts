import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { promtoolMissing } from '../e2e/promtool.js';
import { metricsIn, promtool, promtoolOn } from './promtool.js';
import { readRoot } from './run.js';
import { settingsIn } from './settings.js';

const NO_PROMTOOL = promtoolMissing();
if (NO_PROMTOOL !== undefined) process.stderr.write(`skipped: what promtool says of deploy/: ${NO_PROMTOOL}\n`);

const VERSIONS: Readonly<Record<string, string>> = {
  ServiceAccount: 'v1',
  Role: 'rbac.authorization.k8s.io/v1',
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1',
};

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly unknown[];
  readonly roleRef?: { readonly apiGroup: string; readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[];
}

const objectsOf = (path: string): KubernetesObject[] =>
  parseAllDocuments(readRoot(path))
    .map((document) => {
      expect({ path, errors: document.errors, warnings: document.warnings }).toEqual({ path, errors: [], warnings: [] });
      return document.toJS() as KubernetesObject | null;
    })
    .filter((object) => object !== null);
const nameOf = ({ kind, metadata: { name, namespace = '' } }: KubernetesObject): string => `${kind} ${namespace}/${name}`;

it('deploy/README.md names every file, and no other', () => {
  const files = ['antrea', 'prometheus'].flatMap((directory) => readdirSync(`deploy/${directory}`).map((file) => `${directory}/${file}`));
  const named = [...readRoot('deploy/README.md').matchAll(/`((?:[a-z-]+\/)?[a-z.]+\.yaml)`/g)].map(([, file]) => file);
  expect(new Set(named.map((file) => (file.includes('/') ? file : `prometheus/${file}`)))).toEqual(new Set(files));
});

describe.each(['deploy/antrea/rbac.yaml', 'deploy/prometheus/rbac.yaml'])('%s', (path) => {
  const objects = objectsOf(path);

  it('holds objects of kinds and versions that Kubernetes has, each once', () => {
    expect(objects.map(({ kind, apiVersion }) => ({ kind, apiVersion }))).toEqual(
      objects.map(({ kind }) => ({ kind, apiVersion: VERSIONS[kind] })),
    );
    expect(new Set(objects.map(nameOf)).size).toBe(objects.length);
    for (const { kind, metadata } of objects)
      expect({ kind, namespaced: metadata.namespace !== undefined }).toEqual({ kind, namespaced: !kind.startsWith('Cluster') });
  });

  it('binds roles and accounts that are there', () => {
    const there = new Set(objects.map(nameOf));
    const bindings = objects.filter(({ roleRef }) => roleRef !== undefined);
    expect(bindings.length).toBeGreaterThan(0);
    for (const { metadata, roleRef, subjects = [] } of bindings) {
      expect(there).toContain(`${roleRef?.kind} ${roleRef?.kind === 'Role' ? metadata.namespace : ''}/${roleRef?.name}`);
      expect(roleRef?.apiGroup).toBe('rbac.authorization.k8s.io');
      expect(subjects.length).toBeGreaterThan(0);
      for (const { kind, name, namespace } of subjects) expect(there).toContain(`${kind} ${namespace}/${name}`);
    }
  });
});

it('nobody may do more than see Pods of kube-system and Nodes, and read /metrics', () => {
  const roles = ['deploy/antrea/rbac.yaml', 'deploy/prometheus/rbac.yaml'].flatMap(objectsOf).filter(({ rules }) => rules !== undefined);
  const see = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get', 'list', 'watch'] });
  expect(Object.fromEntries(roles.map((role) => [nameOf(role), role.rules]))).toEqual({
    'ClusterRole /prometheus-antrea': [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
    'Role kube-system/prometheus-antrea-discovery': [see('pods')],
    'ClusterRole /prometheus-vmgauge-discovery': [see('nodes')],
  });
});

interface Job {
  readonly job_name: string;
  readonly kubernetes_sd_configs?: readonly unknown[];
}
type Labels = Readonly<Record<string, string>>;

/** Debian's Prometheus is built without Kubernetes: what it would find there is given as a list. */
function withFound(path: string, found: readonly Labels[]): { readonly scrape_configs: readonly object[] } {
  const config = parse(readRoot(path)) as { readonly scrape_configs: readonly Job[] };
  const given = found.map(({ __address__, ...labels }) => ({ targets: [__address__], labels }));
  return {
    ...config,
    scrape_configs: config.scrape_configs.map(({ kubernetes_sd_configs, ...job }) =>
      kubernetes_sd_configs === undefined ? job : { ...job, static_configs: given },
    ),
  };
}

/** Address and instance of what a job scrapes of it, as promtool relabels it. */
function scraped(path: string, job: string, found: readonly Labels[]): string[] {
  const printed = promtoolOn(withFound(path, found), ['check', 'service-discovery', '--timeout=1s'], [job]);
  const targets = JSON.parse(printed) as readonly { readonly labels: Labels | null }[];
  return targets
    .flatMap(({ labels }) => (labels?.__address__ === undefined ? [] : `${labels.__scheme__} ${labels.__address__} ${labels.instance}`))
    .sort();
}

describe.skipIf(NO_PROMTOOL !== undefined)('the configurations of Prometheus', () => {
  const pod = (name: string, container: string, port: string, number: number, more: Labels = {}): Labels => ({
    __address__: `10.0.0.1:${number}`,
    __meta_kubernetes_namespace: 'kube-system',
    __meta_kubernetes_pod_name: name,
    __meta_kubernetes_pod_node_name: 'node-1',
    __meta_kubernetes_pod_phase: 'Running',
    __meta_kubernetes_pod_container_name: container,
    __meta_kubernetes_pod_container_port_name: port,
    ...more,
  });
  const PODS = [
    pod('antrea-agent-x1', 'antrea-agent', 'api', 10350),
    pod('antrea-agent-x1', 'antrea-agent', 'cluster', 10351),
    pod('antrea-agent-x1', 'antrea-ovs', '', 6640),
    pod('antrea-agent-gone', 'antrea-agent', 'api', 10360, { __meta_kubernetes_pod_phase: 'Failed' }),
    pod('antrea-agent-y1', 'antrea-agent', 'api', 10370, { __meta_kubernetes_namespace: 'evil' }),
    pod('antrea-controller-z1', 'antrea-controller', 'api', 10349),
    pod('antrea-controller-z1', 'antrea-controller', 'webhook', 10348),
  ];

  it.each(['deploy/antrea/prometheus.yaml', 'deploy/prometheus/vmgauge.yaml'])('%s is one', (path) => {
    expect(promtoolOn(withFound(path, []), ['check', 'config', '--syntax-only'])).toContain('SUCCESS');
  });

  it('scrape each Antrea agent and controller once, and name it as Antrea’s documents do', () => {
    const path = 'deploy/antrea/prometheus.yaml';
    expect(scraped(path, 'antrea-agents', PODS)).toEqual(['https 10.0.0.1:10350 node-1;antrea-agent-x1']);
    expect(scraped(path, 'antrea-controllers', PODS)).toEqual(['https 10.0.0.1:10349 node-1;antrea-controller-z1']);
  });

  it('scrape vmgauge on each Node at its own port, by the name of the Node', () => {
    const node = (name: string, address: string, kubelet: string): Labels => ({
      __address__: kubelet,
      __meta_kubernetes_node_name: name,
      __meta_kubernetes_node_address_InternalIP: address,
    });
    const nodes = [node('four', '10.0.0.4', '10.0.0.4:10250'), node('six', 'fd00::6', '[fd00::6]:10250')];
    expect(scraped('deploy/prometheus/vmgauge.yaml', 'vmgauge-nodes', nodes)).toEqual([
      'http 10.0.0.4:10177 four',
      'http [fd00::6]:10177 six',
    ]);
    expect(scraped('deploy/prometheus/vmgauge.yaml', 'vmgauge', [])).toEqual(['http 127.0.0.1:10177 127.0.0.1:10177']);
  });
});

it('what is found in Kubernetes is bounded by kind and label', () => {
  const jobs = ['deploy/antrea/prometheus.yaml', 'deploy/prometheus/vmgauge.yaml'].flatMap(
    (path) => (parse(readRoot(path)) as { readonly scrape_configs: readonly Job[] }).scrape_configs,
  );
  const pods = (component: string) => ({
    role: 'pod',
    namespaces: { names: ['kube-system'] },
    selectors: [{ role: 'pod', label: `app=antrea,component=${component}` }],
  });
  expect(Object.fromEntries(jobs.map((job) => [job.job_name, job.kubernetes_sd_configs]))).toEqual({
    'antrea-controllers': [pods('antrea-controller')],
    'antrea-agents': [pods('antrea-agent')],
    vmgauge: undefined,
    'vmgauge-nodes': [{ role: 'node', selectors: [{ role: 'node', label: 'vmgauge=true' }] }],
  });
});

describe('the alerts', () => {
  interface Rules {
    readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
  }
  interface Tests {
    readonly tests: readonly {
      readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
    }[];
  }
  const rules = (parse(readRoot('deploy/prometheus/network.rules.yaml')) as Rules).groups.flatMap((group) => group.rules);

  it.skipIf(NO_PROMTOOL !== undefined)('are rules, and fire where they should', () => {
    expect(promtool('check', 'rules', '--lint-fatal', 'deploy/prometheus/network.rules.yaml')).toContain(`${rules.length} rules found`);
    expect(promtool('test', 'rules', 'deploy/prometheus/network.rules.test.yaml')).toContain('SUCCESS');
  });

  it('are each made to fire by a test', () => {
    const tests = (parse(readRoot('deploy/prometheus/network.rules.test.yaml')) as Tests).tests.flatMap((test) => test.alert_rule_test);
    const fired = tests.filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname);
    expect(fired.sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  it('ask for metrics that there are', () => {
    const documented = new Set([...readRoot('docs/metrics.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name));
    const asked = rules.flatMap(({ expr }) => metricsIn(expr));
    expect(asked.length).toBeGreaterThanOrEqual(rules.length);
    expect(asked.filter((name) => !documented.has(name))).toEqual([]);
  });

  it('are all in docs/operations.md', () => {
    const named = [...readRoot('docs/operations.md').matchAll(/^\| `(Vmgauge[A-Za-z]+)` \|/gm)].map(([, alert]) => alert);
    expect(named).toEqual(rules.map(({ alert }) => alert));
  });
});

it.skipIf(NO_PROMTOOL !== undefined)('the names that Podtrace’s queries use are recorded', () => {
  expect(promtool('check', 'rules', '--lint-fatal', 'deploy/prometheus/podtrace.rules.yaml')).toContain('1 rules found');
  expect(promtool('test', 'rules', 'deploy/prometheus/podtrace.rules.test.yaml')).toContain('SUCCESS');
});

it('deploy/antrea/vmgauge.yaml is a configuration of the agent', () => {
  const { upstreams, warnings } = settingsIn(readRoot('deploy/antrea/vmgauge.yaml'));
  expect(upstreams).toEqual([
    expect.objectContaining({
      name: 'antrea-agent',
      url: 'https://127.0.0.1:10350/metrics',
      insecureSkipVerify: true,
      allow: [],
      intervalMs: 30_000,
    }),
  ]);
  expect(warnings).toEqual([]);
});
