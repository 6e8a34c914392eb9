// The receivers of the fan-out benchmark (receivers.ts), as cheap as those of the harness that measures other servers.
//
//   receivers SERVER_PORT MEMBERS
//
// Prints "DATA CONTROL": two ports on 127.0.0.1. A connection to DATA is passed on to the server, so that the other
// side may shake hands over it. Its receiving half is then handed over on CONTROL: from there on this program checks
// each tag, decrypts, and counts entries (protocol §6, §6.1); what is written to the connection still goes through.
//
//   CONTROL, little-endian           to us                                    from us
//   'T'                              -                                        u64 ns of our clock
//   'H' u16 port of the connection   u32 n, traffic secret[32], u16 k,        -
//                                    k × (room[32], u32 key, secret[32])
//   'S'                                                                       u32 ref, u64 position (STORED)
//   'D'                                                                       u64 position, u64 ns (all others have it)
//   'E'                                                                       u16 length, text: the run is over
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TAG = 32, FRAME_HEAD = 16, MOST = 65536, PER_KEY = 65536, CLOSE = 0x05, REFUSED = 0x06, ENTRY = 0x2a, STORED = 0x2c, TRANSIT = 0x35 };

typedef struct { SHA256_CTX inner, outer; } Hmac;
typedef struct { EVP_CIPHER_CTX *cfb, *ecb; } Cipher;
typedef struct { uint32_t number; Cipher cipher; } TransitKey;
typedef struct {
  int server, local;
  uint16_t port;
  bool ours;  // the receiving half was handed over
  uint32_t n;
  uint8_t secret[32];
  Hmac mac, transit_mac;
  Cipher cipher;
  TransitKey key;
  uint8_t *in;
  size_t have, size;
} Link;
typedef struct { Link *link; enum { LISTEN_DATA, LISTEN_CONTROL, CONTROL, SERVER, LOCAL } what; } Source;

static int ep, control = -1, server_port;
static uint32_t members;
static Link **links;
static size_t link_count;
static uint16_t *counts;  // arrivals by position
static size_t positions;
static uint8_t out[1 << 16];
static size_t out_have;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void write_all(int fd, const uint8_t *p, size_t n) {
  while (n) {
    ssize_t w = write(fd, p, n);
    if (w < 0) {
      if (errno != EAGAIN) return;  // its reader sees the end
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, -1);
      continue;
    }
    p += w, n -= w;
  }
}
static void flush_control(void) {
  write_all(control, out, out_have);
  out_have = 0;
}
static void tell(const void *p, size_t n) {
  if (out_have + n > sizeof out) flush_control();
  memcpy(out + out_have, p, n);
  out_have += n;
}
static _Noreturn void fail(const char *why) {
  if (control >= 0) {
    uint16_t n = strlen(why);
    tell("E", 1), tell(&n, 2), tell(why, n);
    flush_control();
  }
  fprintf(stderr, "receivers: %s\n", why);
  exit(1);
}

// ---- keys ----------------------------------------------------------------
static void hmac_key(Hmac *h, const uint8_t *key, size_t n) {
  uint8_t pad[64];
  memset(pad, 0x36, 64);
  for (size_t i = 0; i < n; i++) pad[i] ^= key[i];
  SHA256_Init(&h->inner), SHA256_Update(&h->inner, pad, 64);
  for (int i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
  SHA256_Init(&h->outer), SHA256_Update(&h->outer, pad, 64);
}
static void hmac_end(const Hmac *h, SHA256_CTX *c, uint8_t tag[32]) {
  SHA256_Final(tag, c);
  *c = h->outer;
  SHA256_Update(c, tag, 32), SHA256_Final(tag, c);
}
// KDF(secret, label, context, n): HKDF-Expand (RFC 5869) over "chat2 " label 0 context
static void kdf(const uint8_t secret[32], const char *label, const uint8_t *context, size_t nctx, uint8_t *to, size_t n) {
  Hmac h;
  hmac_key(&h, secret, 32);
  uint8_t block[32];
  for (uint8_t i = 1; (size_t)(i - 1) * 32 < n; i++) {
    SHA256_CTX c = h.inner;
    if (i > 1) SHA256_Update(&c, block, 32);
    SHA256_Update(&c, "chat2 ", 6), SHA256_Update(&c, label, strlen(label) + 1), SHA256_Update(&c, context, nctx);
    SHA256_Update(&c, &i, 1);
    hmac_end(&h, &c, block);
    memcpy(to + (i - 1) * 32, block, 32);
  }
}
static void cipher_key(Cipher *c, const uint8_t ke[32], const uint8_t kiv[32]) {
  if (!c->cfb) c->cfb = EVP_CIPHER_CTX_new(), c->ecb = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(c->cfb, EVP_aes_256_cfb128(), NULL, ke, NULL);
  EVP_EncryptInit_ex(c->ecb, EVP_aes_256_ecb(), NULL, kiv, NULL);
  EVP_CIPHER_CTX_set_padding(c->ecb, 0);
}
static void decrypt(Cipher *c, uint64_t n, const uint8_t *ct, size_t len, uint8_t *to) {
  uint8_t counter[16] = {0}, iv[16];
  int got;
  for (int i = 0; i < 8; i++) counter[15 - i] = n >> (8 * i);
  EVP_EncryptUpdate(c->ecb, iv, &got, counter, 16);
  EVP_DecryptInit_ex(c->cfb, NULL, NULL, NULL, iv);
  EVP_DecryptUpdate(c->cfb, to, &got, ct, len);
}
static void traffic_keys(Link *l) {
  uint8_t k[96], kt[32];
  kdf(l->secret, "record", NULL, 0, k, 96);
  kdf(l->secret, "transit tag", NULL, 0, kt, 32);
  cipher_key(&l->cipher, k, k + 64);
  hmac_key(&l->mac, k + 32, 32), hmac_key(&l->transit_mac, kt, 32);
}
static void advance(Link *l) {
  if (++l->n < PER_KEY) return;
  uint8_t next[32];
  kdf(l->secret, "record next", NULL, 0, next, 32);
  memcpy(l->secret, next, 32);
  l->n = 0;
  traffic_keys(l);
}
static void transit_key(Link *l, const uint8_t room[32], uint32_t number, const uint8_t secret[32]) {
  uint8_t context[36], k[64];
  memcpy(context, room, 32);
  for (int i = 0; i < 4; i++) context[32 + i] = number >> (24 - 8 * i);
  kdf(secret, "transit", context, 36, k, 64);
  cipher_key(&l->key.cipher, k, k + 32);
  l->key.number = number;
}

// ---- what comes ----------------------------------------------------------
static uint32_t u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static uint64_t u64(const uint8_t *p) { return (uint64_t)u32(p) << 32 | u32(p + 4); }

static void arrived(uint64_t pos) {
  if (pos >= positions) {
    size_t more = pos * 2 + 1024;
    counts = realloc(counts, more * sizeof *counts);
    memset(counts + positions, 0, (more - positions) * sizeof *counts);
    positions = more;
  }
  if (++counts[pos] > members - 1) fail("an entry came twice");
  if (counts[pos] < members - 1) return;
  uint64_t at = now();
  tell("D", 1), tell(&pos, 8), tell(&at, 8);
}
static void messages(Link *l, const uint8_t *p, size_t n) {
  while (n) {
    if (n < 5 || n - 5 < u32(p + 1)) fail("a message does not end");
    uint32_t len = u32(p + 1);
    const uint8_t *body = p + 5;
    switch (p[0]) {
    case ENTRY: arrived(u64(body + 32)); break;
    case TRANSIT: transit_key(l, body, u32(body + 32), body + 36); break;
    case STORED: {
      uint32_t ref = u32(body);
      uint64_t pos = u64(body + 36);
      tell("S", 1), tell(&ref, 4), tell(&pos, 8);
      break;
    }
    case REFUSED: fail("the server has refused something");
    case CLOSE: fail("the server has closed a link");
    }
    p += 5 + len, n -= 5 + len;
  }
}
static void frame(Link *l, const uint8_t *w, size_t head, size_t len) {
  static uint8_t plain[MOST];
  uint8_t number[8] = {0}, digest[32], tag[32];
  for (int i = 0; i < 4; i++) number[7 - i] = l->n >> (8 * i);
  SHA256_CTX c;
  bool transit = head == FRAME_HEAD;
  const Hmac *key = transit ? &l->transit_mac : &l->mac;
  if (transit) SHA256_Init(&c), SHA256_Update(&c, w, head + len), SHA256_Final(digest, &c);
  c = key->inner;
  SHA256_Update(&c, number, 8), SHA256_Update(&c, w, 4);
  if (transit) SHA256_Update(&c, digest, 32);
  else SHA256_Update(&c, w + 4, len);
  hmac_end(key, &c, tag);
  if (memcmp(tag, w + head + len, TAG)) fail("a tag does not hold");
  if (transit && u32(w + 4) != l->key.number) fail("a transit frame has an unknown key");
  if (transit) decrypt(&l->key.cipher, u64(w + 8), w + head, len, plain);
  else decrypt(&l->cipher, l->n, w + head, len, plain);
  advance(l);
  messages(l, plain, len);
}
static void cut(Link *l) {
  size_t at = 0;
  while (l->have - at >= 4) {
    const uint8_t *w = l->in + at;
    size_t head = w[0] & 0x80 ? FRAME_HEAD : 4, len = u32(w) & 0x7fffffff;
    if (len > MOST) fail("a frame is too long");
    if (l->have - at < head + len + TAG) break;
    frame(l, w, head, len);
    at += head + len + TAG;
  }
  memmove(l->in, l->in + at, l->have -= at);
}

// ---- connections ---------------------------------------------------------
static void watch(int fd, Link *link, int what) {
  Source *s = malloc(sizeof *s);
  *s = (Source){link, what};
  fcntl(fd, F_SETFL, O_NONBLOCK);
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
static void listen_on(int what, uint16_t *port, int *fd) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  *fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(*fd, (void *)&a, n) || listen(*fd, 1024) || getsockname(*fd, (void *)&a, &n)) fail("cannot listen");
  *port = ntohs(a.sin_port);
  watch(*fd, NULL, what);
}
static void accept_data(int listener) {
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  int local = accept(listener, (void *)&a, &n);
  if (local < 0) return;
  Link *l = calloc(1, sizeof *l);
  *l = (Link){.local = local, .port = ntohs(a.sin_port), .size = 1 << 18, .in = malloc(1 << 18)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  l->server = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(l->server, (void *)&to, sizeof to)) fail("the server does not accept");
  links = realloc(links, (link_count + 1) * sizeof *links);
  links[link_count++] = l;
  watch(l->local, l, LOCAL), watch(l->server, l, SERVER);
}
static void from_server(Link *l) {
  ssize_t n = read(l->server, l->in + l->have, l->size - l->have);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    if (l->ours) fail("the server has closed a link");
    shutdown(l->local, SHUT_WR);
    epoll_ctl(ep, EPOLL_CTL_DEL, l->server, NULL);
    return;
  }
  if (!l->ours) return write_all(l->local, l->in, n);
  l->have += n;
  cut(l);
}
static void from_local(Link *l) {
  uint8_t b[1 << 16];
  ssize_t n = read(l->local, b, sizeof b);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    epoll_ctl(ep, EPOLL_CTL_DEL, l->local, NULL);
    shutdown(l->server, SHUT_WR);
    return;
  }
  write_all(l->server, b, n);
}
static void exactly(void *to, size_t n) {
  for (uint8_t *p = to; n;) {
    ssize_t r = read(control, p, n);
    if (r > 0) p += r, n -= r;
    else if (r < 0 && errno == EAGAIN) poll(&(struct pollfd){.fd = control, .events = POLLIN}, 1, -1);
    else exit(0);
  }
}
static void hand_over(void) {
  uint16_t port, keys;
  Link *l = NULL;
  exactly(&port, 2);
  for (size_t i = 0; i < link_count; i++) if (links[i]->port == port && !links[i]->ours) l = links[i];
  if (!l) fail("no such connection");
  exactly(&l->n, 4), exactly(l->secret, 32), exactly(&keys, 2);
  while (keys--) {
    struct { uint8_t room[32]; uint32_t number; uint8_t secret[32]; } k;
    exactly(&k, sizeof k);
    transit_key(l, k.room, k.number, k.secret);
  }
  traffic_keys(l);
  l->ours = true;
}
static void from_control(void) {
  char what;
  exactly(&what, 1);
  if (what == 'T') {
    uint64_t at = now();
    tell("T", 1), tell(&at, 8);
  } else if (what == 'H') hand_over();
  else fail("an unknown word");
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  server_port = atoi(argv[1]), members = atoi(argv[2]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  ep = epoll_create1(0);
  uint16_t ports[2];
  int fds[2];
  listen_on(LISTEN_DATA, &ports[0], &fds[0]), listen_on(LISTEN_CONTROL, &ports[1], &fds[1]);
  printf("%d %d\n", ports[0], ports[1]), fflush(stdout);
  for (;;) {
    struct epoll_event ev[256];
    int n = epoll_wait(ep, ev, 256, -1);
    for (int i = 0; i < n; i++) {
      Source *s = ev[i].data.ptr;
      switch (s->what) {
      case LISTEN_DATA: accept_data(fds[0]); break;
      case LISTEN_CONTROL: control = accept(fds[1], NULL, NULL), watch(control, NULL, CONTROL); break;
      case CONTROL: from_control(); break;
      case SERVER: from_server(s->link); break;
      case LOCAL: from_local(s->link); break;
      }
    }
    if (out_have) flush_control();
  }
}
