package llrp

import "traveler.example/drivers"

// observation is one TagReportData: what a reader says of one tag on one
// antenna. Its slices are those of the message.
type observation struct {
	epc       []byte
	inventory uint32 // ROSpecID; 0 if the reader left it out
	antenna   uint16 // 0 if the reader left it out
	rssi      int8   // dBm; 0 if the reader left it out
	reads     int    // at least 1
	access    uint32 // AccessSpecID
	result    result
}

// result is what became of an operation on a tag's memory.
type result struct {
	kind  paramType // pC1G2ReadOpSpecResult, pC1G2WriteOpSpecResult, or 0: there is none
	op    uint16
	code  uint8
	data  []byte // of a read
	words uint16 // that were written
}

// parseReport calls each for every tag of an RO_ACCESS_REPORT, in order, up to
// the first thing that is wrong.
func parseReport(m Message, each func(*observation)) error {
	var w walk
	s := w.open(m)
	var o observation
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		if t != pTagReportData {
			continue
		}
		o = observation{reads: 1}
		readObservation(p, &o)
		if w.err == nil {
			each(&o)
		}
	}
	return w.err
}

func readObservation(s scope, o *observation) {
	named := false
	at := s.at
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		switch t {
		case pEPC96:
			o.epc, named = p.take(12), true
		case pEPCData:
			bits := int(p.u16())
			o.epc, named = p.take((bits+7)/8), true
		case pROSpecID:
			o.inventory = p.u32()
		case pAntennaID:
			o.antenna = p.u16()
		case pPeakRSSI:
			o.rssi = int8(p.u8())
		case pTagSeenCount:
			o.reads = max(1, int(p.u16()))
		case pAccessSpecID:
			o.access = p.u32()
		case pC1G2ReadOpSpecResult:
			o.result = result{kind: t, code: p.u8(), op: p.u16()}
			o.result.data = p.take(2 * int(p.u16()))
		case pC1G2WriteOpSpecResult:
			o.result = result{kind: t, code: p.u8(), op: p.u16(), words: p.u16()}
		}
	}
	if !named {
		s.at = at
		s.fail("a tag without its EPC")
	}
}

// capabilities are what a reader says it can do, as far as it matters here.
type capabilities struct {
	antennas     uint16
	manufacturer uint32 // IANA private enterprise number
	model        uint32
	firmware     string
	inventories  uint32 // MaxROSpecs; 0 means that it does not say
	powers       []power
	hopTable     uint16 // the first; 0 where the region does not hop
}

// power is an entry of the table of transmit powers.
type power struct {
	index uint16
	level int16 // in 1/100 dBm
}

// maxPowers bounds the table of powers that is kept; readers list some hundred.
const maxPowers = 4096

func parseCapabilities(m Message) (capabilities, error) {
	var w walk
	var c capabilities
	if err := parseStatus(m); err != nil {
		return c, err
	}
	s := w.open(m)
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		switch t {
		case pGeneralDeviceCapabilities:
			c.antennas = p.u16()
			p.u16() // flags
			c.manufacturer, c.model, c.firmware = p.u32(), p.u32(), p.text()
		case pLLRPCapabilities:
			p.take(4) // flags, priorities, timeout
			c.inventories = p.u32()
		case pRegulatoryCapabilities:
			p.take(4) // country, standard
			for t, q, ok := p.next(); ok; t, q, ok = p.next() {
				if t == pUHFBandCapabilities {
					c.band(q)
				}
			}
		}
	}
	if w.err == nil && c.antennas == 0 {
		s.fail("it tells of no antenna")
	}
	return c, w.err
}

func (c *capabilities) band(s scope) {
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		switch t {
		case pTransmitPowerLevel:
			if len(c.powers) == maxPowers {
				s.fail("more than %d transmit powers", maxPowers)
				return
			}
			c.powers = append(c.powers, power{p.u16(), int16(p.u16())})
		case pFrequencyInformation:
			p.u8() // hopping or not: only the former lists a hop table
			for t, q, ok := p.next(); ok; t, q, ok = p.next() {
				if t == pFrequencyHopTable && c.hopTable == 0 {
					c.hopTable = uint16(q.u8())
				}
			}
		}
	}
}

// antennaState says whether an antenna is connected.
type antennaState struct {
	antenna   uint16
	connected bool
}

func parseAntennas(m Message) ([]antennaState, error) {
	var w walk
	if err := parseStatus(m); err != nil {
		return nil, err
	}
	var found []antennaState
	s := w.open(m)
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		if t == pAntennaProperties {
			connected := p.u8()&0x80 != 0
			found = append(found, antennaState{p.u16(), connected})
		}
	}
	return found, w.err
}

// parseInventories returns the identifiers of the ROSpecs that a reader holds.
func parseInventories(m Message) ([]uint32, error) {
	var w walk
	if err := parseStatus(m); err != nil {
		return nil, err
	}
	var found []uint32
	s := w.open(m)
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		if t == pROSpec {
			found = append(found, p.u32())
		}
	}
	return found, w.err
}

// notice is a READER_EVENT_NOTIFICATION, as far as it matters here.
type notice struct {
	attempt   bool
	connected uint16 // ConnectionAttemptEvent
	closed    bool   // the reader closes the connection
	overflow  bool   // it lost reports
	exception bool
	text      string // of the exception
	ended     bool   // an inventory ended or was preempted
	inventory uint32 // which
	antennas  []antennaState
}

// How a connection attempt ended (LLRP 1.0.1, 16.2.8.6.9).
const (
	attemptSuccess     = 0
	attemptFailed      = 3 // for an unknown reason; 1 and 2: another client is connected
	attemptByAnother   = 4 // told to the client that is connected
	rospecEventStarted = 0
)

func parseNotice(m Message) (notice, error) {
	var w walk
	var n notice
	s := w.open(m)
	for t, data, ok := s.next(); ok; t, data, ok = s.next() {
		if t != pReaderEventNotificationData {
			continue
		}
		for t, p, ok := data.next(); ok; t, p, ok = data.next() {
			switch t {
			case pConnectionAttemptEvent:
				n.attempt, n.connected = true, p.u16()
			case pConnectionCloseEvent:
				n.closed = true
			case pReportBufferOverflowError:
				n.overflow = true
			case pReaderExceptionEvent:
				n.exception, n.text = true, p.text()
			case pROSpecEvent:
				n.ended, n.inventory = p.u8() != rospecEventStarted, p.u32()
			case pAntennaEvent:
				connected := p.u8() != 0
				n.antennas = append(n.antennas, antennaState{p.u16(), connected})
			}
		}
	}
	return n, w.err
}

// tagOf makes the tag of an EPC.
func tagOf(epc []byte) (drivers.Tag, error) { return drivers.NewTag(epc, drivers.Gen2) }
