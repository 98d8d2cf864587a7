// The floor: what a C program needs for the same work on the same processes, single-threaded, with descriptors kept open.
// usage: floor <file with pids, one a line>
// Commands, one a line on standard input; each is answered by nanoseconds of CPU time per repetition:
//   sample <k>   pread and parse stat, statm, io and fstat fd/ of every process, k times
//   load <page>  takes the lines of an exposition page apart; answers the number of samples
//   encode <k>   writes that page from its numbers, k times
//   both <k>     sample, then encode, k times
//   check <out>  writes the encoded page to a file
//   net <path> <k>   reads and parses a net/dev, k times; answers the nanoseconds and the number of interfaces
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 4, COLUMNS = 8 + 3 + 7 + 1, MAX_INTERFACES = 65536 };
static const char *const NAMES[FILES] = {"stat", "statm", "io", "fd"};
static int n, (*fds)[FILES];
double *cells[COLUMNS]; // Not static: a compiler may drop stores that nobody can read.
static char buffer[65536];

static int64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static const char *number(const char *p, double *out) {
  uint64_t value = 0;
  while (*p >= '0' && *p <= '9') value = value * 10 + (uint64_t)(*p++ - '0');
  *out = (double)value;
  return p;
}

// Fields 10, 12, 14, 15, 20, 22, 23 and 43 of proc_pid_stat(5), as vmgauge keeps them.
static void parse_stat(char *line, ssize_t length, int row) {
  static const int8_t WANTED[44] = {[10] = 1, [12] = 2, [14] = 3, [15] = 4, [20] = 5, [22] = 6, [23] = 7, [43] = 8};
  const char *p = (char *)memrchr(line, ')', (size_t)length) + 4;
  for (int field = 4; field <= 43; field++) {
    if (*p == '-') p++;
    if (WANTED[field]) p = number(p, &cells[WANTED[field] - 1][row]);
    else
      while (*p > ' ') p++;
    p++;
  }
}

static void sample(void) {
  for (int row = 0; row < n; row++) {
    ssize_t length = pread(fds[row][0], buffer, sizeof buffer - 1, 0);
    if (length <= 0) exit(3);
    parse_stat(buffer, length, row);
    length = pread(fds[row][1], buffer, sizeof buffer - 1, 0);
    if (length <= 0) exit(3);
    const char *p = buffer;
    for (int i = 0; i < 3; i++) p = number(p, &cells[8 + i][row]) + 1;
    length = pread(fds[row][2], buffer, sizeof buffer - 1, 0);
    if (length <= 0) exit(3);
    p = buffer;
    for (int i = 0; i < 7; i++) {
      while (*p++ != ':') {
      }
      p = number(p + 1, &cells[11 + i][row]) + 1;
    }
    struct stat about;
    if (fstat(fds[row][3], &about) != 0) exit(3);
    cells[18][row] = (double)about.st_size;
  }
}

typedef struct {
  uint32_t offset, length;
  int decimals; // -1: any double, -2: no number, text only
  double value; // times 10^decimals
} Line;
static Line *lines;
static size_t line_count, page_bytes;
static char *texts, *page;
static const double POWERS[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static char *put_integer(char *out, uint64_t value) {
  char digits[24], *p = digits + sizeof digits;
  do *--p = (char)('0' + value % 10);
  while (value /= 10);
  memcpy(out, p, (size_t)(digits + sizeof digits - p));
  return out + (digits + sizeof digits - p);
}

static char *put_fixed(char *out, double value, int decimals) {
  uint64_t scaled = (uint64_t)value, unit = (uint64_t)POWERS[decimals], fraction = scaled % unit;
  out = put_integer(out, scaled / unit);
  if (fraction == 0) return out;
  *out++ = '.';
  for (uint64_t u = unit / 10; fraction > 0; u /= 10) *out++ = (char)('0' + fraction / u), fraction %= u;
  return out;
}

// The shortest of the three precisions that reads back as the same double.
static char *put_double(char *out, double value) {
  for (int precision = 15; precision <= 17; precision++) {
    int length = sprintf(out, "%.*g", precision, value);
    if (strtod(out, NULL) == value) return out + length;
  }
  return out;
}

static size_t encode(void) {
  char *out = page;
  for (size_t i = 0; i < line_count; i++) {
    const Line *line = &lines[i];
    memcpy(out, texts + line->offset, line->length);
    out += line->length;
    if (line->decimals >= 0) out = put_fixed(out, line->value, line->decimals);
    else if (line->decimals == -1) out = put_double(out, line->value);
    *out++ = '\n';
  }
  return page_bytes = (size_t)(out - page);
}

static size_t load(const char *path) {
  FILE *file = fopen(path, "r");
  struct stat about;
  if (!file || fstat(fileno(file), &about) != 0) exit(4);
  size_t size = (size_t)about.st_size, samples = 0;
  texts = malloc(size + 1);
  if (fread(texts, 1, size, file) != size) exit(4);
  texts[size] = 0;
  fclose(file);
  line_count = 0;
  for (size_t i = 0; i < size; i++) line_count += texts[i] == '\n';
  lines = calloc(line_count, sizeof *lines);
  page = malloc(2 * size + 65536);
  memset(page, 1, 2 * size + 65536);
  char *at = texts;
  for (size_t i = 0; i < line_count; i++) {
    char *end = strchr(at, '\n');
    lines[i] = (Line){(uint32_t)(at - texts), (uint32_t)(end - at), -2, 0};
    if (*at != '#') {
      char *value = memrchr(at, ' ', (size_t)(end - at)) + 1, *point = memchr(value, '.', (size_t)(end - value));
      int decimals = point ? (int)(end - point - 1) : 0;
      int plain = strspn(value, "0123456789.") == (size_t)(end - value) && decimals <= 9;
      lines[i].length = (uint32_t)(value - at);
      lines[i].decimals = plain ? decimals : -1;
      lines[i].value = plain ? round(strtod(value, NULL) * POWERS[decimals]) : strtod(value, NULL);
      samples++;
    }
    at = end + 1;
  }
  return samples;
}

double counters[8][MAX_INTERFACES];

// /proc/net/dev to its end: eight counters of every interface.
static int net(int fd) {
  static const int8_t SLOTS[12] = {0, 1, 2, 3, -1, -1, -1, -1, 4, 5, 6, 7};
  ssize_t left = 0, got;
  off_t position = 0;
  int count = 0;
  while ((got = pread(fd, buffer + left, 16384, position)) > 0) {
    position += got;
    char *at = buffer, *end, *filled = buffer + left + got;
    for (; (end = memchr(at, '\n', (size_t)(filled - at))); at = end + 1) {
      const char *p = memrchr(at, ':', (size_t)(end - at));
      if (!p) continue;
      p++;
      for (int i = 0; i < 12; i++) {
        double value;
        while (*p == ' ') p++;
        p = number(p, &value);
        if (SLOTS[i] >= 0) counters[SLOTS[i]][count % MAX_INTERFACES] = value;
      }
      count++;
    }
    left = filled - at;
    memmove(buffer, at, (size_t)left);
  }
  return count;
}

static void open_all(const char *path) {
  FILE *file = fopen(path, "r");
  int pid, capacity = 16384;
  if (!file) exit(4);
  fds = calloc((size_t)capacity, sizeof *fds);
  for (; n < capacity && fscanf(file, "%d", &pid) == 1; n++)
    for (int f = 0; f < FILES; f++) {
      char name[64];
      snprintf(name, sizeof name, "/proc/%d/%s", pid, NAMES[f]);
      if ((fds[n][f] = open(name, O_RDONLY)) < 0) perror(name), exit(5);
    }
  fclose(file);
  for (int c = 0; c < COLUMNS; c++) cells[c] = calloc((size_t)n + 1, sizeof(double));
}

int main(int argc, char **argv) {
  static char command[4096], word[4096];
  int k;
  if (argc != 2) return 2;
  open_all(argv[1]);
  while (fgets(command, sizeof command, stdin)) {
    int64_t started = cpu_ns();
    if (sscanf(command, "sample %d", &k) == 1) {
      for (int i = 0; i < k; i++) sample();
    } else if (sscanf(command, "encode %d", &k) == 1) {
      for (int i = 0; i < k; i++) encode();
    } else if (sscanf(command, "both %d", &k) == 1) {
      for (int i = 0; i < k; i++) sample(), encode();
    } else if (sscanf(command, "load %s", word) == 1) {
      printf("%zu\n", load(word)), fflush(stdout);
      continue;
    } else if (sscanf(command, "check %s", word) == 1) {
      FILE *file = fopen(word, "w");
      size_t written = file ? fwrite(page, 1, encode(), file) : 0;
      if (file) fclose(file);
      printf("%zu\n", written), fflush(stdout);
      continue;
    } else if (sscanf(command, "net %s %d", word, &k) == 2) {
      int count = 0, fd = open(word, O_RDONLY);
      if (fd < 0) return 6;
      started = cpu_ns();
      for (int i = 0; i < k; i++) count = net(fd);
      printf("%lld %d\n", (long long)(cpu_ns() - started) / k, count), fflush(stdout);
      close(fd);
      continue;
    } else return 7;
    printf("%lld\n", (long long)(cpu_ns() - started) / k), fflush(stdout);
  }
  return 0;
}
