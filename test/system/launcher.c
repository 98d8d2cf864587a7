/*
 * What control planes do before a VMM runs, and what a shell cannot: hand over open descriptors, leave a child unreaped, choose its pid,
 * put it into a jail. `launcher <how> … -- <program> <argv[0]> …`; the program is executed with the argv that follows it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call) do { if ((call) < 0) { perror(#call); exit(4); } } while (0)

static char **program;

static void become(void) {
  execv(program[0], program + 1);
  perror(program[0]);
  _exit(4);
}

/* open <tap fd> <tap> <socket fd> <path>: as libvirt does, so that argv names descriptors only. */
static void hand_over(char **word) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int tap = open("/dev/net/tun", O_RDWR), monitor = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", word[1]);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", word[3]);
  MUST(ioctl(tap, TUNSETIFF, &request));
  MUST(bind(monitor, (struct sockaddr *)&address, sizeof address));
  MUST(listen(monitor, 1));
  MUST(dup2(tap, atoi(word[0])));
  MUST(dup2(monitor, atoi(word[2])));
  close(tap);
  close(monitor);
  become();
}

/* keep: starts a child, says `child <pid>`, leaves it a zombie until SIGUSR1; then says `rusage <user µs> <system µs>` of wait4(2). */
static void keep(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  pid_t child = fork();
  if (child == 0) {
    printf("child %d\n", getpid());
    fflush(stdout);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
    become();
  }
  int signal, status;
  struct rusage used;
  sigwait(&signals, &signal);
  MUST(wait4(child, &status, 0, &used));
  printf("rusage %ld %ld\n", used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec, used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec);
}

/* at-pid <pid>: as often as it takes, since threads of others take numbers too. Needs a pid namespace of one's own. */
static void at_pid(pid_t wanted) {
  for (int attempt = 0; attempt < 1000; attempt++) {
    char text[16];
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    MUST(last);
    MUST(write(last, text, snprintf(text, sizeof text, "%d", wanted - 1)));
    close(last);
    pid_t child = fork();
    if (child == 0) {
      if (getpid() != wanted) _exit(0);
      become();
    }
    int status;
    waitpid(child, &status, 0);
    if (child == wanted) exit(0);
  }
  fprintf(stderr, "pid %d is not to be had\n", wanted);
  exit(4);
}

/* swarm <n>: n children; %d in their words becomes 0, 1, … */
static void swarm(int count) {
  for (int i = 0; i < count; i++) {
    if (fork() != 0) continue;
    for (char **word = program + 1; *word; word++)
      if (strstr(*word, "%d")) MUST(asprintf(word, *word, i));
    become();
  }
  while (wait(NULL) > 0);
}

static void make_device(const char *path, mode_t mode, unsigned major, unsigned minor, uid_t uid) {
  MUST(mknod(path, S_IFCHR | mode, makedev(major, minor)));
  MUST(chown(path, uid, uid));
}

/* jail <root> <uid>: as Firecracker's jailer, src/jailer/src/env.rs: mounts of its own, pivot_root, device nodes, then the user. */
static void jail(const char *root, uid_t uid) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL));
  MUST(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
  MUST(chdir(root));
  MUST(mkdir("old_root", 0700));
  MUST(syscall(SYS_pivot_root, ".", "old_root"));
  MUST(chdir("/"));
  MUST(umount2("old_root", MNT_DETACH));
  MUST(rmdir("old_root"));
  MUST(mkdir("dev", 0755));
  MUST(mkdir("dev/net", 0755));
  make_device("dev/net/tun", 0600, 10, 200, uid);
  make_device("dev/kvm", 0600, 10, 232, uid);
  MUST(setgid(uid));
  MUST(setuid(uid));
  become();
}

int main(int count, char **word) {
  for (program = word; *program && strcmp(*program, "--"); program++);
  if (*program) program++;
  const char *how = count > 1 ? word[1] : "";
  if (!strcmp(how, "open")) hand_over(word + 2);
  if (!strcmp(how, "keep")) keep();
  if (!strcmp(how, "at-pid")) at_pid(atoi(word[2]));
  if (!strcmp(how, "swarm")) swarm(atoi(word[2]));
  if (!strcmp(how, "jail")) jail(word[2], atoi(word[3]));
  /* init: the first process of a pid namespace; whoever ignores SIGCHLD leaves no zombie, wait(2). */
  if (!strcmp(how, "init"))
    for (signal(SIGCHLD, SIG_IGN);;) pause();
  return 0;
}
