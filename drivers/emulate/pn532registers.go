package emulate

// The registers that change what the chip does with frames (PN532/C1 data
// sheet, 8.6.23).
const (
	regTxMode     = 0x6302 // bit 7: append a CRC
	regRxMode     = 0x6303 // bit 7: check the CRC and take it off
	regManualRCV  = 0x630D // bit 4: parity is the host's business
	regStatus2    = 0x6338 // bit 3: Crypto1 is on
	regControl    = 0x633C // bits 0 to 2: valid bits of the last byte received
	regBitFraming = 0x633D // bits 0 to 2: bits of the last byte to send
)

const crypto1On = 0x08

// readRegisters answers ReadRegister; the values follow without a status byte,
// in contrast to other chips of the family.
func (c *pn532Chip) readRegisters(response, args []byte) []byte {
	for ; len(args) >= 2; args = args[2:] {
		response = append(response, c.registers[uint16(args[0])<<8|uint16(args[1])])
	}
	return response
}

func (c *pn532Chip) writeRegisters(response, args []byte) []byte {
	for ; len(args) >= 3; args = args[3:] {
		c.registers[uint16(args[0])<<8|uint16(args[1])] = args[2]
	}
	return response
}
