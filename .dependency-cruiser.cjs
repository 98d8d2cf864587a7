/** Arrows point downward only: main → views → collection → instances → collectors' rooms → procfs → host → model. */
const upward = (name, from, to, comment) => ({ name, severity: 'error', comment, from: { path: from, pathNot: '\\.spec\\.ts$' }, to: { path: to } });

const VIEWS = '^src/modules/(stats|metrics|capabilities|health|web)/';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', comment: 'Two injectables that import each other crash at load.', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', comment: 'A file nobody imports is dead.', from: { orphan: true, pathNot: ['\\.spec\\.ts$', '^src/(cli|embed)\\.ts$'] }, to: {} },
    upward('model-knows-nobody', '^src/model/', '^(src/(?!model/)|node_modules/@nestjs)', 'The words of the house import nothing of ours and no Nest.'),
    upward('model-does-no-io', '^src/model/', '^node:|^(fs|net|child_process|http)(/|$)', 'The words of the house do nothing.'),
    upward('host-knows-model-only', '^src/host/', '^src/(?!host/|model/)', 'The door to the machine knows no room.'),
    upward('procfs-is-lowest', '^src/modules/procfs/', '^src/modules/(?!procfs/)', 'Other rooms read processes through procfs, not the other way.'),
    upward('hypervisor-is-pure', '^src/modules/hypervisor/', '^src/(modules/(?!hypervisor/)|host/|http/)', 'Drivers see evidence and nothing else.'),
    upward('network-is-blind', '^src/modules/network/', '^src/modules/(?!network/|procfs/)', 'Rooms beside each other are blind to each other.'),
    upward('exposition-is-low', '^src/modules/exposition/', '^src/(?!modules/exposition/|model/|host/)', 'The text format knows no room: who reads or prints texts brings the rules.'),
    upward('shim-is-blind', '^src/modules/shim/', '^src/modules/(?!shim/|exposition/|procfs/)', 'Rooms beside each other are blind to each other; views read what is here.'),
    upward('vmm-is-blind', '^src/modules/vmm/', '^src/modules/(?!vmm/|procfs/|shim/)', 'Rooms beside each other are blind to each other; a VMM inside a shim speaks through it.'),
    upward('upstreams-is-blind', '^src/modules/upstreams/', '^src/modules/(?!upstreams/|exposition/)', 'Rooms beside each other are blind to each other; views read what is here.'),
    upward('events-is-blind', '^src/modules/events/', '^src/modules/(?!events/|procfs/)', 'Rooms beside each other are blind to each other.'),
    upward('cgroup-is-blind', '^src/modules/cgroup/', '^src/modules/(?!cgroup/|procfs/)', 'Rooms beside each other are blind to each other.'),
    upward('instances-know-lower-rooms', '^src/modules/instances/', '^src/modules/(?!instances/|procfs/|hypervisor/)', 'Finding instances needs processes and drivers, nothing above.'),
    upward('collection-knows-no-view', '^src/modules/collection/', VIEWS, 'A sweep does not know who reads it.'),
    upward('views-are-blind', '^src/modules/stats/', '^src/modules/(metrics|capabilities|health|web)/', 'Views are pure readers of the same tables.'),
    upward('views-are-blind-2', '^src/modules/metrics/', '^src/modules/(stats|capabilities|health|web)/', 'Views are pure readers of the same tables.'),
    upward('views-are-blind-3', '^src/modules/capabilities/', '^src/modules/(stats|metrics|health|web)/', 'Probes look at rooms below, not at other views.'),
    upward('http-knows-no-room', '^src/http/', '^src/modules/', 'Filters and tokens serve every room.'),
    upward('rooms-know-no-main', '^src/modules/', '^src/((main|cli|app\\.module|vmgauge\\.module|embed)\\.ts$|commands/)', 'Rooms do not know who puts them together.'),
    upward('config-stays-at-the-top', '^src/(modules|host|http|model)/', '^src/config/', 'Rooms get Settings; the configuration is for main.'),
    {
      name: 'one-door-to-the-machine',
      severity: 'error',
      comment: 'Files, sockets and programs only in host/: there they are bounded in size and time.',
      from: { path: '^src/', pathNot: ['^src/host/', '\\.spec\\.ts$'] },
      to: { path: '^(node:)?(fs|fs/promises|net|child_process|dgram)$', dependencyTypes: ['core'] },
    },
    {
      name: 'parsers-know-no-nest',
      severity: 'error',
      comment: 'A parser is a function of bytes.',
      from: { path: '^src/modules/(procfs|network|hypervisor|exposition|shim|upstreams|vmm|cgroup|events)/', pathNot: ['\\.(collector|host-collector|module|spec)\\.ts$', '^src/modules/shim/(socket|scraper)', '^src/modules/upstreams/scraper', '^src/modules/network/ovs/observer', '^src/modules/events/(tracing|sockets)\\.ts', '^src/modules/vmm/(asker|numbers-topic|parts-topic)'] },
      to: { path: '@nestjs' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
