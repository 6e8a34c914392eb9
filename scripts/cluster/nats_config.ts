/** NatsConfig: the configuration of a node of NATS for a trial on this machine: anybody may be a server there. */

/** `nats.conf`. @param parts of its own: where it listens, jetstream, cluster */
export function natsConfig(parts: string): string {
  return `
    ${parts}
    accounts {
      SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response_type: stream, accounts: [CHAT] } ] }
      CHAT {
        jetstream: enabled
        users: [ { user: chat, password: chat } ]
        imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
      }
    }
    system_account: SYS
    no_auth_user: chat
    `;
}
