#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Opens a capture of `fanfare fanout` in tshark and compares the fields it finds with the contexts file.

With --plain (cipher 0) tshark sees everything: NAS down to the text of the short message, bearers (one profile in the
capture, since tshark takes one PDCP format at a time) down to the UDP payload. Otherwise it sees what is in clear.
"""
import argparse
import collections
import csv
import hmac
import os
import subprocess
import sys

FIELDS = ("frame.number", "_ws.expert.message", "_ws.malformed", "ip.dst", "ipv6.dst", "ip.checksum.status",
          "udp.checksum.status", "udp.dstport", "udp.payload", "s1ap.MME_UE_S1AP_ID", "s1ap.ENB_UE_S1AP_ID",
          "ngap.AMF_UE_NGAP_ID", "ngap.RAN_UE_NGAP_ID", "s1ap.procedureCode", "ngap.procedureCode",
          "nas_eps.security_header_type", "nas_eps.seq_no", "nas_eps.nas_msg_emm_type", "nas_eps.nas_msg_esm_type",
          "nas_eps.esm.user_data_cont", "nas_5gs.security_header_type", "nas_5gs.seq_no", "nas_5gs.mm.message_type",
          "nas_5gs.mm.pld_cont_type", "nas_5gs.mm.pld_cont", "gsm_sms.sms_text", "gsm_sms.tp-mti", "gtp.teid",
          "gtp.message", "gtp.ext_hdr.next", "nrup.pdu_type", "nrup.seq_num", "pdcp-lte.seq-num", "pdcp-nr.seq-num",
          "sdap.qfi", "mikey.type", "mikey.csb_id", "mikey.rand.data", "mikey.t.ts_type", "mikey.id.data",
          "mikey.kemac.encr_alg", "mikey.kemac.key_data", "mikey.kemac.mac_alg", "mikey.kemac.mac")
BETWEEN = "\x1e"  # several values of one field
GOOD, NOT_PRESENT = "1", "3"  # what tshark says of a checksum


def tshark(options, hops):
  """Runs tshark; yields a dictionary of lists for each frame."""
  script = os.path.join(options.folder, "ports.lua")
  with open(script, "w", encoding="ascii") as stream:
    # These two have no place in tshark's list for --decode-as on UDP.
    stream.write('DissectorTable.get("udp.port"):add(36412, Dissector.get("s1ap"))\n'
                 'DissectorTable.get("udp.port"):add(38412, Dissector.get("ngap"))\n')
  preferences = {"ip.check_checksum": "TRUE", "udp.check_checksum": "TRUE", "gsm_sms.reassemble": "FALSE",
                 "nas-eps.null_decipher": str(options.plain).upper(), "nas-5gs.null_decipher": str(options.plain).upper(),
                 "gtp.dissect_tpdu_as": "None",
                 # tshark has no key here and would take the algorithm for NIA0: decode.py is the judge of MACs.
                 "pdcp-nr.verify_integrity": "FALSE", "pdcp-lte.verify_integrity": "FALSE"}
  tables = []
  if options.plain and options.profile:
    kind = "nr" if options.profile.startswith("nr") else "lte"
    preferences["gtp.dissect_tpdu_as"] = "PDCP-" + kind.upper()
    sn = options.profile[-2:] + " bits"
    if kind == "nr":
      clear = ["DL", "SDAP header NOT present" if options.sdap is None else "SDAP header present",
               "MAC-I present" if options.mac_i else "MAC-I NOT present"]
    else:
      clear = ["Header present"]
    for hop in sorted(hops):
      record = [hop, "*"] + clear + ["User plane", sn, "RoHC NOT compressed", "UDP (2)"]
      tables.append("uat:gtp_pdcp_%s_keys2:%s" % (kind, ",".join('"%s"' % value for value in record)))
  command = ["tshark", "-n", "-r", options.pcap, "-X", "lua_script:" + script, "-T", "fields", "-E", "separator=/t",
             "-E", "occurrence=a", "-E", "aggregator=" + BETWEEN, "-d", "udp.port==2269,mikey"]
  for name, value in preferences.items():
    command += ["-o", "%s:%s" % (name, value)]
  for table in tables:
    command += ["-o", table]
  for field in FIELDS:
    command += ["-e", field]
  # A configuration of whoever runs this must not change what is seen.
  environment = dict(os.environ, HOME=options.folder, WIRESHARK_CONFIG_DIR=options.folder, LC_ALL="C.UTF-8")
  done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False)
  if done.returncode:
    sys.exit("FAIL tshark: " + done.stderr.decode(errors="replace")[-500:])
  for line in done.stdout.decode().split("\n")[:-1]:
    values = line.split("\t")
    yield {name: value.split(BETWEEN) if value else [] for name, value in zip(FIELDS, values)}


def key_of(row):
  if row["profile"] in ("sgi-ip", "mbms-msk"):
    return ("own", row["ue_ip"])
  if row["teid"]:
    return ("2152", row["next_hop"], int(row["teid"]))
  port = "38412" if row["profile"].startswith("5gs") else "36412"
  return (port, row["next_hop"], int(row["mme_ue_id"]), int(row["ran_ue_id"]))


class Check:
  """What is known of the population, and the faults found."""

  def __init__(self, options):
    self.options = options
    with open(options.contexts, encoding="ascii", newline="") as stream:
      self.rows = {key_of(row): row for row in csv.DictReader(stream)}
    self.seen, self.texts = collections.Counter(), collections.defaultdict(str)
    self.faults = collections.defaultdict(list)

  def same(self, frame, name, wanted):
    if frame[name] != wanted:
      self.faults["%s is %s, not %s" % (name, frame[name], wanted)].append(frame["frame.number"][0])

  def frame(self, frame):
    number, v6 = frame["frame.number"][0], self.options.ipv6
    for name in ("_ws.expert.message", "_ws.malformed"):
      self.same(frame, name, [])
    port, hop = frame["udp.dstport"][0], (frame["ipv6.dst"] if v6 else frame["ip.dst"])[0]
    if port not in ("2152", "36412", "38412"):
      self.packet(frame, hop)
      return
    if port == "2152":
      key = (port, hop, *(int(teid, 0) for teid in frame["gtp.teid"]))
    else:
      names = "s1ap.MME_UE_S1AP_ID", "s1ap.ENB_UE_S1AP_ID"
      if port == "38412":
        names = "ngap.AMF_UE_NGAP_ID", "ngap.RAN_UE_NGAP_ID"
      key = (port, hop, *(int(value, 0) for name in names for value in frame[name]))
    row = self.rows.get(key)
    if not row:
      self.faults["no context for %s" % (key,)].append(number)
      return
    inner = self.options.plain and port == "2152"
    outer = frame["udp.checksum.status"][:1]
    if outer != [GOOD] and (v6 or outer != [NOT_PRESENT]):
      self.faults["outer udp.checksum.status is %s" % outer].append(number)
    self.same(frame, "udp.checksum.status", outer + [GOOD] * inner)
    self.same(frame, "ip.checksum.status", [GOOD] * (inner + (not v6)))
    self.same(frame, "ip.dst", ([] if v6 else [hop]) + [row["ue_ip"]] * inner)
    count = int(row["count"]) + self.seen[key]
    self.seen[key] += 1
    if port == "2152":
      self.bearer(frame, row, count)
    elif port == "36412":
      self.eps(frame, row, count)
    else:
      self.five_gs(frame, row, count)
    self.texts[key] += "".join(frame["gsm_sms.sms_text"])

  def packet(self, frame, own):
    """Over SGi there is the UE's packet alone, with both checksums."""
    key = ("own", own)
    row = self.rows.get(key)
    if not row:
      self.faults["no context for %s" % (key,)].append(frame["frame.number"][0])
      return
    self.seen[key] += 1
    for name in ("ip.checksum.status", "udp.checksum.status"):
      self.same(frame, name, [GOOD])
    self.same(frame, "ip.dst", [row["ue_ip"]])
    if row["profile"] == "mbms-msk":
      self.msk(frame, row, int(row["count"]) + self.seen[key] - 1)
    else:
      self.same(frame, "udp.payload", [self.options.text.encode().hex()])

  def msk(self, frame, row, count):
    """An MSK in MIKEY: what is in clear, T among it, which tshark does not tell; and a MAC under the UE's own MUK (RFC 3830 4.1.2)."""
    octets, domain = bytes.fromhex(frame["udp.payload"][0]), "mnc001.mcc001.pub.3gppnetwork.org"
    self.same(frame, "mikey.type", ["0"])
    self.same(frame, "mikey.t.ts_type", ["2"])
    self.same(frame, "mikey.id.data", ["bmsc." + domain, "%022d==@bsf.%s" % (int(row["ue"]), domain)])
    self.same(frame, "mikey.kemac.encr_alg", ["1"])
    self.same(frame, "mikey.kemac.mac_alg", ["1"])
    if octets[27:31] != count.to_bytes(4, "big"):
      self.faults["T is %s, not %d" % (octets[27:31].hex(), count)].append(frame["frame.number"][0])
    label = bytes.fromhex("2d22ac75ff") + octets[4:8] + bytes.fromhex(frame["mikey.rand.data"][0])
    muk = bytes.fromhex(row["k_enc"] + row["k_int"])
    key = hmac.digest(muk, hmac.digest(muk, label, "sha1") + label, "sha1")
    self.same(frame, "mikey.kemac.mac", [hmac.digest(key, octets[:-20], "sha1").hex()])
    if self.options.text.encode() in octets:
      self.faults["the MSK is in clear"].append(frame["frame.number"][0])

  def bearer(self, frame, row, count):
    nr, bits = row["profile"].startswith("nr"), int(row["profile"][-2:])
    self.same(frame, "gtp.message", ["0xff"])
    self.same(frame, "gtp.ext_hdr.next", ["0x84", "0x00"] if nr else [])
    self.same(frame, "nrup.pdu_type", ["0"] if nr else [])
    if self.options.plain:
      sn = [str(count & (1 << bits) - 1)]
      self.same(frame, "pdcp-nr.seq-num", sn if nr else [])
      self.same(frame, "pdcp-lte.seq-num", [] if nr else sn)
      self.same(frame, "sdap.qfi", [str(self.options.sdap)] if nr and self.options.sdap is not None else [])
      self.same(dict(frame, payload=frame["udp.payload"][1:]), "payload", [self.options.text.encode().hex()])

  def eps(self, frame, row, count):
    sms, plain = row["profile"].endswith("sms"), self.options.plain
    self.same(frame, "s1ap.procedureCode", ["11"])
    self.same(frame, "nas_eps.security_header_type", ["2"] + ["0"] * (sms and plain))
    self.same(frame, "nas_eps.seq_no", [str(count & 255)])
    if plain:
      self.same(frame, "nas_eps.nas_msg_emm_type", ["0x62"] if sms else [])
      self.same(frame, "nas_eps.nas_msg_esm_type", [] if sms else ["0xeb"])
      self.same(frame, "gsm_sms.tp-mti", ["0"] if sms else [])
      self.same(frame, "nas_eps.esm.user_data_cont", [] if sms else [self.options.text.encode().hex()])

  def five_gs(self, frame, row, count):
    sms, plain = row["profile"].endswith("sms"), self.options.plain
    self.same(frame, "ngap.procedureCode", ["4"])
    self.same(frame, "nas_5gs.security_header_type", ["2"] + ["0"] * plain)
    self.same(frame, "nas_5gs.seq_no", [str(count & 255)])
    if plain:
      self.same(frame, "nas_5gs.mm.message_type", ["0x68"])
      self.same(frame, "nas_5gs.mm.pld_cont_type", ["2" if sms else "8"])
      self.same(frame, "gsm_sms.tp-mti", ["0"] if sms else [])
      self.same(frame, "nas_5gs.mm.pld_cont", [] if sms else [self.options.text.encode().hex()])

  def whole(self):
    """Every UE has its message, and as often as the number of its frames tells."""
    for key, row in self.rows.items():
      sms = row["profile"].endswith("sms")
      if not self.seen[key] or not sms and self.seen[key] != 1:
        self.faults["%s: UE %s is in %d frames" % (row["profile"], row["ue"], self.seen[key])].append("-")
      if sms and self.options.plain and self.texts[key] != self.options.text:
        self.faults["%s: the text of a UE is %r" % (row["profile"], self.texts[key])].append("-")


def main():
  p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
  p.add_argument("--pcap", required=True, metavar="FILE")
  p.add_argument("--contexts", required=True, metavar="FILE")
  p.add_argument("--text", required=True, metavar="STRING", help="the message that was sent, once")
  p.add_argument("--folder", default=os.environ.get("TMPDIR", "/tmp"), metavar="DIR",
                 help="where a file may be written ($TMPDIR)")
  p.add_argument("--plain", action="store_true", help="sent with cipher 0: look inside")
  p.add_argument("--profile", metavar="NAME", help="the one bearer profile of the capture, to look inside with --plain")
  p.add_argument("--mac-i", action="store_true", help="its NR PDCP PDUs have a MAC-I")
  p.add_argument("--sdap", type=int, metavar="QFI", help="its NR bearers have an SDAP header with this QFI")
  p.add_argument("--ipv6", action="store_true", help="the transport is IPv6")
  options = p.parse_args()
  check = Check(options)
  frames = 0
  for frame in tshark(options, {row["next_hop"] for row in check.rows.values()}):
    check.frame(frame)
    frames += 1
  check.whole()
  for text, numbers in list(check.faults.items())[:20]:
    print("FAIL %.300s (frames %s, %d in all)" % (text, ", ".join(numbers[:5]), len(numbers)))
  print("%s: %d frames, %d contexts" % ("FAIL" if check.faults else "ok", frames, len(check.rows)))
  return 1 if check.faults or not frames else 0


if __name__ == "__main__":
  sys.exit(main())
