package llrp

import "encoding/binary"

// encoder writes fields and parameters.
type encoder struct{ b []byte }

func (e *encoder) u8(v uint8)   { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16) { e.b = binary.BigEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *encoder) raw(b []byte) { e.b = append(e.b, b...) }

// param writes a TLV parameter around what body writes.
func (e *encoder) param(t paramType, body func()) {
	e.u16(uint16(t))
	at := len(e.b)
	e.u16(0)
	body()
	binary.BigEndian.PutUint16(e.b[at:], uint16(len(e.b)-at+2))
}

// The constants of fields.
const (
	airGen2 = 1 // EPCGlobal Class 1 Gen 2

	reportNever   = 0 // only when asked for
	reportEachTag = 2 // after N tags, or at the end of the ROSpec

	notifyROSpec    = 2
	notifyBuffer    = 3
	notifyException = 4
	notifyAntenna   = 8

	wantAll        = 0
	wantAntennas   = 2
	periodic       = 1
	operationCount = 1
)

// The bits of a TagReportContentSelector (LLRP 1.0.1, 16.2.7.1.1).
const (
	selectROSpecID     = 1 << 15
	selectAntennaID    = 1 << 12
	selectPeakRSSI     = 1 << 10
	selectTagSeenCount = 1 << 7
	selectAccessSpecID = 1 << 6
)

// encodeCapabilities asks for everything a reader can do.
func encodeCapabilities() []byte { return []byte{wantAll} }

// encodeAntennas asks which antennas are connected.
func encodeAntennas() []byte {
	var e encoder
	e.u16(0) // every antenna
	e.u8(wantAntennas)
	e.u16(0)
	e.u16(0)
	return e.b
}

// encodeSettings asks for keepalives every ms milliseconds, for the events that
// concern an inventory, and for reports right after a reconnection.
func encodeSettings(ms uint32) []byte {
	var e encoder
	e.u8(0) // keep everything else as it is
	e.param(pReaderEventNotificationSpec, func() {
		for _, event := range [...]uint16{notifyROSpec, notifyBuffer, notifyException, notifyAntenna} {
			e.param(pEventNotificationState, func() { e.u16(event); e.u8(0x80) })
		}
	})
	e.param(pKeepaliveSpec, func() { e.u8(periodic); e.u32(ms) })
	e.param(pEventsAndReports, func() { e.u8(0) })
	return e.b
}

// encodeID is the body of the messages that name one spec.
func encodeID(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id) }

// inventory is what is asked of a reader.
type inventory struct {
	id         uint32
	antennas   []transmitter
	session    uint8
	population uint16
	held       bool // reports wait until they are asked for
}

// transmitter is an antenna and its power, as indices into the tables of the
// reader; power 0 leaves it as it is.
type transmitter struct{ antenna, hopTable, channel, power uint16 }

// encodeInventory is the body of ADD_ROSPEC: an inventory that is started and
// stopped by the client alone, and reports each tag at once.
func encodeInventory(v inventory) []byte {
	var e encoder
	e.param(pROSpec, func() {
		e.u32(v.id)
		e.u8(0) // priority: the highest
		e.u8(0) // disabled, as it has to be
		e.param(pROBoundarySpec, func() {
			e.param(pROSpecStartTrigger, func() { e.u8(0) })
			e.param(pROSpecStopTrigger, func() { e.u8(0); e.u32(0) })
		})
		e.param(pAISpec, func() { e.antennas(v) })
		e.param(pROReportSpec, func() {
			if v.held {
				e.u8(reportNever)
				e.u16(0)
			} else {
				e.u8(reportEachTag)
				e.u16(1)
			}
			e.param(pTagReportContentSelector, func() {
				e.u16(selectROSpecID | selectAntennaID | selectPeakRSSI | selectTagSeenCount | selectAccessSpecID)
			})
		})
	})
	return e.b
}

func (e *encoder) antennas(v inventory) {
	e.u16(uint16(len(v.antennas)))
	for _, a := range v.antennas {
		e.u16(a.antenna)
	}
	e.param(pAISpecStopTrigger, func() { e.u8(0); e.u32(0) })
	e.param(pInventoryParameterSpec, func() {
		e.u16(1)
		e.u8(airGen2)
		for _, a := range v.antennas {
			e.param(pAntennaConfiguration, func() {
				e.u16(a.antenna)
				if a.power != 0 {
					e.param(pRFTransmitter, func() { e.u16(a.hopTable); e.u16(a.channel); e.u16(a.power) })
				}
				e.param(pC1G2InventoryCommand, func() {
					e.u8(0)
					e.param(pC1G2SingulationControl, func() { e.u8(v.session << 6); e.u16(v.population); e.u32(0) })
				})
			})
		}
	})
}

// access is one operation on the memory of one tag.
type access struct {
	spec, inventory uint32
	op              uint16
	epc             []byte // whose
	bank            uint8
	word            uint16 // first one
	count           uint16 // to read; 0 means to the end of the bank
	write           []byte // to write, in whole words; nil means to read
}

// epcAt is where the EPC begins in bank 1, in bits: behind CRC and PC.
const epcAt = 32

// encodeAccess is the body of ADD_ACCESSSPEC: an operation that is done once, on
// the one tag whose EPC begins so.
func encodeAccess(a access) []byte {
	var e encoder
	e.param(pAccessSpec, func() {
		e.u32(a.spec)
		e.u16(0) // any antenna
		e.u8(airGen2)
		e.u8(0) // disabled, as it has to be
		e.u32(a.inventory)
		e.param(pAccessSpecStopTrigger, func() { e.u8(operationCount); e.u16(1) })
		e.param(pAccessCommand, func() {
			e.param(pC1G2TagSpec, func() {
				e.param(pC1G2TargetTag, func() {
					e.u8(1<<6 | 1<<5) // bank 1, has to match
					e.u16(epcAt)
					bits := uint16(8 * len(a.epc))
					e.u16(bits)
					for range a.epc {
						e.u8(0xFF)
					}
					e.u16(bits)
					e.raw(a.epc)
				})
			})
			e.operation(a)
		})
		e.param(pAccessReportSpec, func() { e.u8(0) }) // with the report of the tag
	})
	return e.b
}

func (e *encoder) operation(a access) {
	t := pC1G2Read
	if a.write != nil {
		t = pC1G2Write
	}
	e.param(t, func() {
		e.u16(a.op)
		e.u32(0) // no access password
		e.u8(a.bank << 6)
		e.u16(a.word)
		if a.write == nil {
			e.u16(a.count)
			return
		}
		e.u16(uint16(len(a.write) / 2))
		e.raw(a.write)
	})
}
