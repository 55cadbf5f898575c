package m100

import (
	"fmt"

	"traveler.example/drivers"
)

// Notice is one read of one tag.
type Notice struct {
	RSSI int    // strength of the tag's answer at the module, in dBm
	PC   uint16 // protocol control word: the upper five bits are the length of the EPC in words
	EPC  []byte
}

// ParseNotice reads the parameters of a notice: RSSI, PC, EPC and the CRC-16
// that the tag sent with them (EPC Gen2, 6.3.2.1.2.1), which is checked here
// once more. It refuses, with drivers.ErrProtocol, a CRC that is wrong and an
// EPC that is not as long as its PC says. The EPC points into b.
func ParseNotice(b []byte) (Notice, error) {
	if len(b) < 5 {
		return Notice{}, fmt.Errorf("%w: notice of %d bytes, at least 5 are expected", drivers.ErrProtocol, len(b))
	}
	answer, crc := b[1:len(b)-2], uint16(b[len(b)-2])<<8|uint16(b[len(b)-1])
	if want := CRC16(answer); crc != want {
		return Notice{}, fmt.Errorf("%w: CRC %04X of % X should be %04X", drivers.ErrProtocol, crc, answer, want)
	}
	n := Notice{RSSI: int(int8(b[0])), PC: uint16(answer[0])<<8 | uint16(answer[1]), EPC: answer[2:]}
	if want := epcLength(n.PC); len(n.EPC) != want {
		return Notice{}, fmt.Errorf("%w: EPC of %d bytes, its PC %04X says %d", drivers.ErrProtocol, len(n.EPC), n.PC, want)
	}
	return n, nil
}

// epcLength is the length in bytes that a PC word gives its EPC.
func epcLength(pc uint16) int { return int(pc>>11) * 2 }

// CRC16 is the CRC-16 of EPC Gen2 (annex F): CCITT polynomial 1021, preset FFFF,
// ones' complement of the register.
func CRC16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return ^crc
}
