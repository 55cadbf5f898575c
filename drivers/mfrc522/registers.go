package mfrc522

// Registers (data sheet, 9.2).
const (
	regCommand    = 0x01
	regComIEn     = 0x02
	regDivIEn     = 0x03
	regComIrq     = 0x04
	regError      = 0x06
	regStatus2    = 0x08
	regFIFOData   = 0x09
	regFIFOLevel  = 0x0A
	regControl    = 0x0C
	regBitFraming = 0x0D
	regColl       = 0x0E
	regMode       = 0x11
	regTxMode     = 0x12
	regRxMode     = 0x13
	regTxControl  = 0x14
	regTxASK      = 0x15
	regModWidth   = 0x24
	regRFCfg      = 0x26
	regTMode      = 0x2A
	regTPrescaler = 0x2B
	regTReloadHi  = 0x2C
	regTReloadLo  = 0x2D
	regVersion    = 0x37
)

// Commands (10.3).
const (
	cmdIdle       = 0x00
	cmdTransceive = 0x0C
	cmdMFAuthent  = 0x0E
	cmdSoftReset  = 0x0F
)

// Bits of registers.
const (
	irqRx, irqIdle, irqErr, irqTimer = 0x20, 0x10, 0x02, 0x01
	irqAll                           = 0x7F

	errWrite, errTemperature, errOverflow       = 0x80, 0x40, 0x10
	errCollision, errCRC, errParity, errFraming = 0x08, 0x04, 0x02, 0x01

	powerDown    = 0x10 // CommandReg: it is still starting up
	flushFIFO    = 0x80 // FIFOLevelReg
	startSend    = 0x80 // BitFramingReg
	crypto1On    = 0x08 // Status2Reg
	collNotValid = 0x20 // CollReg
	antenna      = 0x03 // TxControlReg: both driver pins
	timerAuto    = 0x80 // TModeReg: the timer starts when a frame is sent, and stops when an answer begins

	fifoSize = 64
)

// txControl drives both antenna pins, the second inverted to the first (9.3.2.5).
const txControl = 0x80 | antenna

// The IRQ pin: low on the end of reception, of a command, or of the timer.
const (
	comIEn = 0x80 | irqRx | irqIdle | irqTimer
	divIEn = 0x80 // push-pull
)

// The timer counts in steps of 25 µs: 13.56 MHz / (2*169+1) = 40 kHz (8.5).
const (
	timerPrescaler = 169
	timerTick      = 25_000 // ns
)

// setting is a register with its value.
type setting struct{ register, value byte }

// model names the chip by its version register; clones that are sold as MFRC522
// say other things. The names of unknown ones carry the value.
func model(version byte) string {
	switch version {
	case 0x90:
		return "MFRC522 v0.0"
	case 0x91:
		return "MFRC522 v1.0"
	case 0x92:
		return "MFRC522 v2.0"
	case 0x88:
		return "FM17522 (MFRC522 clone, version 88)"
	case 0x89:
		return "FM17522E (MFRC522 clone, version 89)"
	case 0xB2:
		return "FM17522_1 (MFRC522 clone, version B2)"
	case 0x12:
		return "counterfeit MFRC522 (version 12)"
	}
	const digits = "0123456789ABCDEF"
	return "MFRC522 clone (version " + string([]byte{digits[version>>4], digits[version&0x0F]}) + ")"
}
