/*
 * Stands in for a VMM that no package of the distribution has. It is copied to the VMM's name and given the VMM's argv, which it never
 * reads; what it holds is real: a VM and vCPUs of /dev/kvm, taps, listening sockets. It does what the lines on its standard input say and
 * answers each with `ok …` or `error …`; it ends when the input ends. Lines that are needed from the start, separated by `;`, stand in
 * the environment variable STAND_IN; after them it says `ready`. A child of its own it starts as a shim does: `spawn`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int tap = -1;

static int make_vm(int vcpus) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return -1;
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return -1;
  for (int i = 0; i < vcpus; i++)
    if (ioctl(vm, KVM_CREATE_VCPU, i) < 0) return -1;
  return vm;
}

static int open_tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return tap < 0 ? -1 : ioctl(tap, TUNSETIFF, &request);
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  return listen(fd, 1);
}

/* Broadcast frames of the local experimental EtherType 0x88b5: the host takes them and answers none. */
static long send_frames(long frames, size_t size) {
  unsigned char frame[65536] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
  long sent = 0;
  for (long i = 0; i < frames; i++)
    if (write(tap, frame, size) == (ssize_t)size) sent++;
  return sent;
}

static long drain(long *bytes) {
  static unsigned char frame[65536];
  long frames = 0;
  for (ssize_t n; (n = read(tap, frame, sizeof frame)) > 0; frames++) *bytes += n;
  return frames;
}

static void burn(clockid_t clock, long milliseconds) {
  struct timespec now, start;
  clock_gettime(clock, &start);
  do clock_gettime(clock, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

static int grow(size_t mebibytes) {
  /* Seen from outside, so that the compiler does not leave it out. */
  static char *volatile memory;
  memory = malloc(mebibytes << 20);
  if (!memory) return -1;
  memset(memory, 1, mebibytes << 20);
  return 0;
}

static int open_descriptors(long count) {
  for (long i = 0; i < count; i++)
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return -1;
  return 0;
}

/* comm as hexadecimal digits: it may hold newlines. */
static int set_comm(const char *hex) {
  char comm[16] = {0};
  for (int i = 0; i < 15 && sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&comm[i]) == 1; i++);
  return prctl(PR_SET_NAME, comm);
}

/* A path, `new` for one that nobody else is in, `-` for none but one's own. */
static int enter_network(const char *path) {
  if (!strcmp(path, "-")) return 0;
  if (!strcmp(path, "new")) return unshare(CLONE_NEWNET);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int entered = setns(fd, CLONE_NEWNET);
  close(fd);
  return entered;
}

struct thread {
  char name[16], network[256];
  long milliseconds;
  volatile int state;
};

static void *live(void *argument) {
  struct thread *self = argument;
  prctl(PR_SET_NAME, self->name);
  if (enter_network(self->network) < 0) return self->state = -1, NULL;
  burn(CLOCK_THREAD_CPUTIME_ID, self->milliseconds);
  self->state = 1;
  for (;;) pause();
}

/* A thread with a name, in a network namespace, that has used so much CPU: as Dragonball's. */
static int start_thread(const char *name, const char *network, long milliseconds) {
  struct thread *thread = calloc(1, sizeof *thread);
  pthread_t id;
  snprintf(thread->name, sizeof thread->name, "%s", name);
  snprintf(thread->network, sizeof thread->network, "%s", network);
  thread->milliseconds = milliseconds;
  if ((errno = pthread_create(&id, NULL, live, thread))) return -1;
  while (thread->state == 0) usleep(1000);
  return thread->state < 0 ? -1 : 0;
}

/* Blocks that are on the disk before the next is written. */
static int write_through(const char *path, long blocks) {
  static char block[4096];
  int fd = open(path, O_WRONLY | O_CREAT | O_SYNC | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  while (blocks-- > 0)
    if (pwrite(fd, block, sizeof block, 0) != sizeof block) return -1;
  return close(fd);
}

struct writer {
  char path[256];
  long blocks;
  volatile int state;
};

static void *write_and_stay(void *argument) {
  struct writer *self = argument;
  self->state = write_through(self->path, self->blocks) < 0 ? -1 : 1;
  for (;;) pause();
}

/* A thread that has written so much and stays: what a thread waited for goes with it. */
static int start_writer(const char *path, long blocks) {
  struct writer *writer = calloc(1, sizeof *writer);
  pthread_t id;
  snprintf(writer->path, sizeof writer->path, "%s", path);
  writer->blocks = blocks;
  if ((errno = pthread_create(&id, NULL, write_and_stay, writer))) return -1;
  while (writer->state == 0) usleep(1000);
  return writer->state < 0 ? -1 : 0;
}

/* A child that goes on as the same program and has used so much CPU: virtiofsd does so, its parent only waits. */
static int start_worker(long milliseconds) {
  pid_t child = fork();
  if (child != 0) return child;
  burn(CLOCK_PROCESS_CPUTIME_ID, milliseconds);
  for (;;) pause();
}

static char **own_words;

/* The word after -id in its own argv. */
static const char *own_id(void) {
  for (char **word = own_words; *word; word++)
    if (!strcmp(*word, "-id") && word[1]) return word[1];
  return "";
}

/* One word of argv for a child; %i in it becomes the own id. */
static char *expand(const char *word) {
  const char *at = strstr(word, "%i");
  char *out;
  if (!at) return strdup(word);
  return asprintf(&out, "%.*s%s%s", (int)(at - word), word, own_id(), at + 2) < 0 ? NULL : out;
}

/*
 * spawn <network> <orders> <program> <argument> …: a child as a shim starts its VMM. Orders are for a stand-in, with `,` for `;` and `~`
 * for a space, `-` for none. The child outlives its parent, and leaves no zombie while the parent lives. Returns its pid.
 */
static int spawn(char *words) {
  char *argv[128], *network = strtok(words, " "), *orders = strtok(NULL, " "), *rest;
  int count = 0, tube[2];
  if (!network || !orders || pipe2(tube, O_CLOEXEC) < 0) return -1;
  for (char *word; count < 127 && (word = strtok_r(count ? NULL : strtok(NULL, ""), " ", &rest)); count++) argv[count] = expand(word);
  argv[count] = NULL;
  signal(SIGCHLD, SIG_IGN);
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    signal(SIGCHLD, SIG_DFL);
    for (char *c = orders; *c; c++) *c = *c == ',' ? ';' : *c == '~' ? ' ' : *c;
    setenv("STAND_IN", strcmp(orders, "-") ? orders : "", 1);
    setenv("STAND_IN_STAYS", "1", 1);
    if (enter_network(network) == 0) {
      for (int fd = 0; fd < 3; fd++) dup2(null, fd);
      close(null);
      execv(argv[0], argv);
    }
    (void)!write(tube[1], &errno, sizeof errno);
    _exit(4);
  }
  close(tube[1]);
  int failed = read(tube[0], &errno, sizeof errno) > 0;
  close(tube[0]);
  for (int i = 0; i < count; i++) free(argv[i]);
  return failed ? -1 : child;
}

/* Writes the answer to `out`; -1 for an error. */
static int obey(char *line, char *out, size_t room) {
  char word[16] = "", first[256] = "", second[256] = "", third[32] = "";
  sscanf(line, "%15s %255s %255s %31s", word, first, second, third);
  long number = atol(first), bytes = 0;
  *out = 0;
  if (!strcmp(word, "spawn")) {
    int child = spawn(line + sizeof "spawn");
    return child < 0 ? -1 : snprintf(out, room, " %d", child);
  }
  if (!strcmp(word, "thread")) return start_thread(first, second, atol(third));
  if (!strcmp(word, "worker")) return start_worker(number);
  if (!strcmp(word, "kvm")) return make_vm(number);
  if (!strcmp(word, "tap")) return open_tap(first);
  if (!strcmp(word, "listen")) return listen_at(first);
  if (!strcmp(word, "descriptors")) return open_descriptors(number);
  if (!strcmp(word, "comm")) return set_comm(first);
  if (!strcmp(word, "network")) return enter_network(first);
  if (!strcmp(word, "grow")) return grow(number);
  if (!strcmp(word, "burn")) return burn(CLOCK_PROCESS_CPUTIME_ID, number), 0;
  if (!strcmp(word, "write")) return write_through(first, atol(second));
  if (!strcmp(word, "writer")) return start_writer(first, atol(second));
  if (!strcmp(word, "send")) return snprintf(out, room, " %ld", send_frames(number, atol(second)));
  if (!strcmp(word, "drain")) {
    long frames = drain(&bytes);
    return snprintf(out, room, " %ld %ld", frames, bytes);
  }
  if (!strcmp(word, "pid")) return snprintf(out, room, " %d", getpid());
  if (!strcmp(word, "exit")) exit(number);
  errno = EINVAL;
  return -1;
}

int main(int count, char **words) {
  char line[8192], out[128], *next;
  char *first = getenv("STAND_IN");
  (void)count;
  own_words = words;
  for (char *order = first ? strtok_r(strdup(first), ";", &next) : NULL; order; order = strtok_r(NULL, ";", &next)) {
    order = strdup(order);
    if (obey(order, out, sizeof out) < 0) {
      printf("error %s: %s\n", order, strerror(errno));
      return 3;
    }
  }
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (obey(line, out, sizeof out) < 0) printf("error %s\n", strerror(errno));
    else printf("ok%s\n", out);
    fflush(stdout);
  }
  while (getenv("STAND_IN_STAYS")) pause();
  return 0;
}
