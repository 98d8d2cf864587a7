# syntax=docker/dockerfile:1
# Build: the compiled code in one file, with nothing else of node_modules.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm install --no-save --no-audit --no-fund
COPY nest-cli.json tsconfig.json openapi.yaml README.md LICENSE ./
COPY scripts scripts
COPY src src
RUN npm run build && npm run bundle

# Run: Node, the bundle, the documents it serves.
FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="vmgauge" \
      org.opencontainers.image.description="Sees the virtual machines of a Linux host from outside" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/dist-bundle /opt/vmgauge
# One arena and large blocks given back at once: the agent is one thread of work, and its pages are large.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072
# Needs the host's pid namespace and, to see VMs of other users, these two capabilities and no others:
#   docker run --pid=host --net=host --read-only --cap-drop=ALL --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH \
#     --security-opt=no-new-privileges -v /run:/run:ro vmgauge
# SYS_PTRACE opens /proc/<pid>/{exe,fd,io,ns} of other users; DAC_READ_SEARCH reads run state and metadata that only root may.
# It also runs as any user (--user 65532:65532): then it sees the VMs of that user, and says of the others why it does not.
EXPOSE 10177
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:10177/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
# Memory before speed where speed is not lost: a small young generation, and of the compilers the first and the last.
ENTRYPOINT ["node", "--optimize-for-size", "--max-semi-space-size=1", "--no-sparkplug", "--no-maglev", "/opt/vmgauge/vmgauge.mjs"]
