/** DHCP options by name (RFC 2132 and the RFCs beside each). */
export const option = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostname: 12,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  ntp: 42,
  /** Vendor information; for `PXEClient` a list of sub-options (PXE 2.1). */
  vendor: 43,
  requestedAddress: 50,
  leaseSeconds: 51,
  /** `file` and `sname` hold options too. */
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maximumSize: 57,
  /** T1, seconds: when the client asks its server to go on. */
  renewSeconds: 58,
  /** T2, seconds: when it asks any server. */
  rebindSeconds: 59,
  vendorClass: 60,
  clientId: 61,
  tftpServer: 66,
  bootFile: 67,
  /** RFC 3004, and iPXE's bare text. */
  userClass: 77,
  /** RFC 3046. */
  relayAgent: 82,
  /** RFC 4578. */
  architecture: 93,
  /** RFC 4578. */
  networkInterface: 94,
  /** RFC 4578: the machine's UUID. */
  machineId: 97,
  /** RFC 3397. */
  domainSearch: 119,
  /** RFC 3442. */
  classlessRoutes: 121,
  /** iPXE's own, a list of sub-options. */
  ipxe: 175,
  end: 255,
} as const

/** DHCP message types, option 53 (RFC 2132 §9.6). */
export const messageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const
