"""A snom of a recorded SUBSCRIBE: asks by multicast from the address it is given, answers the NOTIFY, prints the URL in it.

    phone.py FIXTURE MAC ADDRESS
"""

import re
import socket
import sys

fixture, mac, address = sys.argv[1:]
with open(fixture, newline="") as file:
    text = file.read()
text = text.replace("000413000001", mac).replace("192.168.1.50", address)

phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
phone.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
phone.bind((address, 5060))
phone.settimeout(2)
for _ in range(5):  # as phones do, once a few seconds
    phone.sendto(text.encode(), ("224.0.1.75", 5060))
    said = []
    try:
        while not any(m.startswith("NOTIFY ") for m in said):
            message, router = phone.recvfrom(4096)
            said.append(message.decode())
    except TimeoutError:
        continue
    break
else:
    sys.exit("phone: no NOTIFY")
if not any(m.startswith("SIP/2.0 200 ") for m in said):
    sys.exit("phone: no 200 before the NOTIFY")
notify = said[-1]
head, _, body = notify.partition("\r\n\r\n")
same = [line for line in head.split("\r\n") if re.match(r"(?i)(via|from|to|call-id|cseq):", line)]
phone.sendto("\r\n".join(["SIP/2.0 200 OK", *same, "Content-Length: 0", "", ""]).encode(), router)
print(body.strip())
