package llrp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"traveler.example/drivers"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nest writes hex in which (TYPE …) stands for a TLV parameter and its length.
func nest(t testing.TB, text string) []byte {
	t.Helper()
	var open []int
	var b []byte
	for _, word := range strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)) {
		switch word {
		case "(":
			open = append(open, len(b))
		case ")":
			at := open[len(open)-1]
			open = open[:len(open)-1]
			size := len(b) - at + 2
			b = slices.Insert(b, at+2, byte(size>>8), byte(size))
		default:
			b = append(b, unhex(t, word)...)
		}
	}
	return b
}

// Messages that real readers sent, as public test suites of other programs have
// them; of the last two those have the bodies, without the headers.
const (
	// A Speedway accepts the connection.
	greeting = "043f 00000020 0ab288c9 00f60016 0080000c 0004f8535baadaff 01000006 0000"
	// It reports an EPC-96, and one of 144 bits.
	reportEPC96   = "043d 0000002c 4095892f 00f00022 8d 3005fb63ac1f3841ec880467 81 0001 86 ce 82 0004ec2ea8354c09 88 0001"
	reportEPCData = "043d 00000037 40958941 00f0002d 00f10018 0090 1fb41f712ac9c37ab79d618173188324001a 81 0001 86 ef 82 0004ec2ea8381f57 88 0001"
	// It closes the connection, and confirms that it was closed.
	closing = "043f 0000001e 00000001 00f60014 0080000c 0005ac35bd20d1da 01010004"
	closed  = "0404 00000012 00000007 011f0008 0000 0000"
)

func message(t testing.TB, text string) Message {
	t.Helper()
	var p Parser
	found, err := p.Feed(unhex(t, text))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %d messages, %v", text, len(found), err)
	}
	return found[0]
}

func TestParseReport(t *testing.T) {
	for _, tt := range []struct {
		name, in, epc string
		rssi          int8
	}{
		{"EPC-96", reportEPC96, "3005fb63ac1f3841ec880467", -50},
		{"EPCData of 144 bits", reportEPCData, "1fb41f712ac9c37ab79d618173188324001a", -17},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []observation
			if err := parseReport(message(t, tt.in), func(o *observation) { got = append(got, *o) }); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 {
				t.Fatalf("%d tags, want 1", len(got))
			}
			if o := got[0]; hex.EncodeToString(o.epc) != tt.epc || o.antenna != 1 || o.rssi != tt.rssi || o.reads != 1 {
				t.Errorf("got %+v (%x), want %s at %d dBm on antenna 1", o, o.epc, tt.epc, tt.rssi)
			}
		})
	}
}

// Every parameter that a report may carry, custom ones and unknown ones of TLV
// among them, with two tags and both results.
func TestParseWholeReport(t *testing.T) {
	body := nest(t, `(00f0
		8d 3034257bf7194e4000001a85 89 54524156 8e 0001 8a 0001 81 0002 86 c4 87 0003
		82 0004ec2ea8354c09 83 0000000000000001 84 0004ec2ea8354c0a 85 0000000000000002
		88 0007 8c 3000 93 0000 94 0000 8b 1234 90 54524156
		(015d 00 0005 0002 e2003412) (03ff 0000651a 00000038 0001) (0333 abcd))
		(00f0 (00f1 0010 abcd) (015e 02 0006 0001) 81 0004)`)
	want := []string{
		"3034257bf7194e4000001a85 inventory 54524156 antenna 2 rssi -60 reads 7 access 54524156 result 349/5/0 e2003412 0",
		"abcd inventory 0 antenna 4 rssi 0 reads 1 access 0 result 350/6/2  1",
	}
	var got []string
	err := parseReport(Message{Type: ROAccessReport, Body: body}, func(o *observation) {
		r := o.result
		got = append(got, fmt.Sprintf("%x inventory %x antenna %d rssi %d reads %d access %x result %d/%d/%d %x %d",
			o.epc, o.inventory, o.antenna, o.rssi, o.reads, o.access, r.kind, r.op, r.code, r.data, r.words))
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

func TestParseNotice(t *testing.T) {
	n, err := parseNotice(message(t, greeting))
	if err != nil || !n.attempt || n.connected != attemptSuccess || n.closed {
		t.Errorf("greeting is %+v, %v", n, err)
	}
	n, err = parseNotice(message(t, closing))
	if err != nil || n.attempt || !n.closed {
		t.Errorf("closing is %+v, %v", n, err)
	}
	n, err = parseNotice(Message{Type: ReaderEventNotification, Body: nest(t, `(00f6 (0080 0004f8535baadaff)
		(00ff 00 0003) (00f9 01 54524156 00000000) (00fb) (00fc 0005 68656c6c6f) (00ff 01 0004))`)})
	want := notice{
		overflow: true, exception: true, text: "hello", ended: true, inventory: inventoryID,
		antennas: []antennaState{{3, false}, {4, true}},
	}
	if err != nil || fmt.Sprint(n) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v\nwant %+v", n, err, want)
	}
}

func TestParseStatus(t *testing.T) {
	if err := parseStatus(message(t, closed)); err != nil {
		t.Errorf("success is %v", err)
	}
	err := parseStatus(Message{Type: AddROSpecResponse, Body: unhex(t, "011f 0016 00c8 0006 77726f6e6721 0121 0008 00b7 012d")})
	if !errors.Is(err, drivers.ErrProtocol) || !strings.Contains(err.Error(), `status 200 at parameter 183 ("wrong!")`) {
		t.Errorf("refusal is %v", err)
	}
}

func TestParseCapabilities(t *testing.T) {
	// The fields are those of a Speedway R420; its tables are cut short.
	body := nest(t, `(011f 0000 0000)
		(0089 0004 4000 0000651a 001e886a 000a 352e31342e302e323430 (008b 0001 0000) (008d 0004 0004) (008c 0001 0001 01))
		(008e 48 01 0000 00000001 00000020 00000001 000005e4 00000008)
		(008f 0348 0001 (0090 (0091 0001 03e8) (0091 0002 0401) (0091 0003 041a) (0092 80 (0093 01 00 0001 000dc65e))))
		(0147 40 0002)`)
	c, err := parseCapabilities(Message{Type: GetReaderCapabilitiesResponse, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if c.name() != "Impinj Speedway R420 5.14.0.240" || c.antennas != 4 || c.inventories != 1 || len(c.powers) != 3 || c.hopTable != 1 {
		t.Errorf("got %+v, %s", c, c.name())
	}
	for _, tt := range []struct {
		antenna Antenna
		want    transmitter
		wrong   string
	}{
		{antenna: Antenna{ID: 4}, want: transmitter{antenna: 4}},
		{antenna: Antenna{ID: 1, Power: 1000}, want: transmitter{1, 1, 0, 1}},
		{antenna: Antenna{ID: 1, Power: 1049}, want: transmitter{1, 1, 0, 2}},
		{antenna: Antenna{ID: 1, Power: 3000}, want: transmitter{1, 1, 0, 3}},
		{antenna: Antenna{ID: 1, Power: 999}, wrong: "9.99 dBm is below what the reader can send, which is 10.00 dBm to 10.50 dBm"},
		{antenna: Antenna{ID: 5}, wrong: "the reader has 4"},
	} {
		got, err := c.transmitter(tt.antenna)
		switch {
		case tt.wrong == "" && (err != nil || got != tt.want):
			t.Errorf("%+v: %+v, %v, want %+v", tt.antenna, got, err, tt.want)
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%+v: %v, want %q", tt.antenna, err, tt.wrong)
		}
	}
}

// What is wrong is named with its message, parameter and place.
func TestBrokenMessages(t *testing.T) {
	ignore := func(*observation) {}
	for _, tt := range []struct{ name, in, want string }{
		{"unknown TV", "00f00005 9f", "RO_ACCESS_REPORT: TagReportData at byte 14: device broke its protocol: a parameter of the unknown type 31"},
		{"cut off TV", "00f00006 8d30", "TagReportData at byte 15: device broke its protocol: 1 bytes are left, 12 are needed"},
		{"longer than its parent", "00f00008 00f100ff", "EPCData with a length of 255 bytes, 4 to 4 are possible"},
		{"shorter than its header", "00f00003", "TagReportData with a length of 3 bytes"},
		{"TLV of a TV's type", "000d0004", "EPC-96 with a length of 4 bytes"},
		{"more bits than bytes", "00f0000a 00f10006 ffff", "EPCData at byte 20: device broke its protocol: 0 bytes are left, 8192 are needed"},
		{"more words than bytes", "00f0000d 015d0009 00 0001 ffff", "C1G2ReadOpSpecResult at byte 23: device broke its protocol: 0 bytes are left, 131070"},
		{"half a header", "00f0", "2 are needed"},
		{"no EPC", "00f00007 810001", "TagReportData at byte 14: device broke its protocol: a tag without its EPC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := parseReport(Message{Type: ROAccessReport, Body: unhex(t, tt.in)}, ignore)
			if !errors.Is(err, drivers.ErrProtocol) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant …%s", err, tt.want)
			}
		})
	}
	for _, parse := range []func(Message) error{
		parseStatus,
		func(m Message) error { _, err := parseCapabilities(m); return err },
		func(m Message) error { _, err := parseAntennas(m); return err },
		func(m Message) error { _, err := parseInventories(m); return err },
	} {
		if err := parse(Message{Type: GetROSpecsResponse}); !errors.Is(err, drivers.ErrProtocol) {
			t.Errorf("an empty message is %v", err)
		}
	}
}

func TestParser(t *testing.T) {
	stream := unhex(t, greeting+reportEPC96+closed)
	var whole Parser
	want, err := whole.Feed(stream)
	if err != nil || len(want) != 3 {
		t.Fatalf("%d messages, %v", len(want), err)
	}
	var again []byte
	for _, m := range want {
		again = AppendMessage(again, m)
	}
	if !bytes.Equal(again, stream) {
		t.Errorf("written again: %x\nwant %x", again, stream)
	}
	var pieces Parser
	var got []Message
	for _, b := range stream {
		found, err := pieces.Feed([]byte{b})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("byte by byte: %v\nwant %v", got, want)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"giant", "043d7fffffff00000001", "RO_ACCESS_REPORT of 2147483647 bytes"},
		{"shorter than its header", "043e0000000900000001", "KEEPALIVE of 9 bytes"},
		{"version 0", "003e", "begins no message"},
		{"version 7", "1c3e", "begins no message"},
		{"noise", "ff00", "FF 00 begins no message"},
		{"behind a good one", closed + "5353", "byte 18 of the stream"},
	} {
		var p Parser
		_, err := p.Feed(unhex(t, tt.in))
		if !errors.Is(err, drivers.ErrProtocol) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if _, again := p.Feed(unhex(t, closed)); again == nil {
			t.Errorf("%s: it goes on after a lost length", tt.name)
		}
	}
	if m := message(t, "083e0000000a00000001"); m.Type != Keepalive {
		t.Errorf("LLRP 1.1: %v", m.Type)
	}
}

// The pieces of these messages are those of an ADD_ROSPEC that a Speedway
// accepted, and of the settings that one reported.
func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{
			"ADD_ROSPEC", encodeInventory(inventory{id: inventoryID, antennas: []transmitter{{1, 1, 1, 0x78}}, population: 30}),
			`00b1 0061 54524156 00 00
				00b2 0012 00b3 0005 00 00b6 0009 00 00000000
				00b7 0038 0001 0001 00b8 0009 00 00000000
					00ba 0027 0001 01 00de 0020 0001 00e0 000a 0001 0001 0078 014a 0010 00 0150 000b 00 001e 00000000
				00ed 000d 02 0001 00ee 0006 94c0`,
		},
		{
			"ADD_ROSPEC, session 1, power as it is, asked for reports", encodeInventory(inventory{id: 7, antennas: []transmitter{{antenna: 2}}, session: 1, population: 1, held: true}),
			`00b1 0057 00000007 00 00
				00b2 0012 00b3 0005 00 00b6 0009 00 00000000
				00b7 002e 0001 0002 00b8 0009 00 00000000
					00ba 001d 0001 01 00de 0016 0002 014a 0010 00 0150 000b 40 0001 00000000
				00ed 000d 00 0000 00ee 0006 94c0`,
		},
		{
			"SET_READER_CONFIG", encodeSettings(1000),
			`00 00f4 0020 00f5 0007 0002 80 00f5 0007 0003 80 00f5 0007 0004 80 00f5 0007 0008 80
				00dc 0009 01 000003e8 00e2 0005 00`,
		},
		{
			"ADD_ACCESSSPEC, read", encodeAccess(access{spec: 1, inventory: 2, op: 3, epc: []byte{0xAB, 0xCD}, bank: 3, word: 4, count: 5}),
			`00cf 0042 00000001 0000 01 00 00000002 00d0 0007 01 0001
				00d1 0026 0152 0013 0153 000f 60 0020 0010 ffff 0010 abcd
					0155 000f 0003 00000000 c0 0004 0005
				00ef 0005 00`,
		},
		{
			"ADD_ACCESSSPEC, write", encodeAccess(access{spec: 1, inventory: 2, op: 3, epc: []byte{0xAB, 0xCD}, bank: 3, word: 4, write: []byte{1, 2, 3, 4}}),
			`00cf 0046 00000001 0000 01 00 00000002 00d0 0007 01 0001
				00d1 002a 0152 0013 0153 000f 60 0020 0010 ffff 0010 abcd
					0156 0013 0003 00000000 c0 0004 0002 01020304
				00ef 0005 00`,
		},
		{"KEEPALIVE_ACK", AppendMessage(nil, Message{Type: KeepaliveAck, ID: 5}), "0448 0000000a 00000005"},
		{"GET_READER_CONFIG", encodeAntennas(), "0000 02 0000 0000"},
		{"DELETE_ROSPEC", AppendMessage(nil, Message{Type: DeleteROSpec, ID: 1, Body: encodeID(inventoryID)}), "0415 0000000e 00000001 54524156"},
	} {
		if want := unhex(t, tt.want); !bytes.Equal(tt.got, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", tt.name, tt.got, want)
		}
	}
}

func TestMessageNames(t *testing.T) {
	for t1, want := range map[MessageType]string{
		GetReaderCapabilitiesResponse: "GET_READER_CAPABILITIES_RESPONSE", EnableAccessSpecResponse: "ENABLE_ACCESSSPEC_RESPONSE",
		CloseConnectionResponse: "CLOSE_CONNECTION_RESPONSE", Keepalive: "KEEPALIVE", KeepaliveAck: "KEEPALIVE_ACK", 1023: "message of type 1023",
	} {
		if got := t1.String(); got != want {
			t.Errorf("%d is %q, want %q", uint16(t1), got, want)
		}
	}
}

// Whatever comes over the network: no panic, the same messages however the
// stream is cut, and memory within what came.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{greeting, reportEPC96, reportEPCData, closing, closed, greeting + reportEPC96, "043d7fffffff00000001", "ff"} {
		f.Add(unhex(f, seed), 7)
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts Parser
		want, wantErr := whole.Feed(stream)
		cut = min(max(cut, 0), len(stream))
		got, err := parts.Feed(stream[:cut])
		if err == nil {
			var rest []Message
			rest, err = parts.Feed(stream[cut:])
			got = append(got, rest...)
		}
		if fmt.Sprint(got, err) != fmt.Sprint(want, wantErr) {
			t.Fatalf("cut at %d: %v %v\nwhole: %v %v", cut, got, err, want, wantErr)
		}
		var again []byte
		for _, m := range want {
			again = AppendMessage(again, m)
		}
		if len(again) > len(stream) {
			t.Fatalf("%d bytes came and %d were made of them", len(stream), len(again))
		}
	})
}

// Whatever stands in a message: no panic, slices within it, and an error that
// says where.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{greeting, reportEPC96, reportEPCData, closing, closed} {
		f.Add(unhex(f, seed)[headerSize:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(err error) {
			if err != nil && !errors.Is(err, drivers.ErrProtocol) {
				t.Errorf("%v is not said to be the device's fault", err)
			}
		}
		m := Message{Type: ROAccessReport, Body: body}
		tags := 0
		check(parseReport(m, func(o *observation) {
			tags++
			if len(o.epc) > len(body) || len(o.result.data) > len(body) || o.reads < 1 {
				t.Errorf("observation of more than came: %+v", o)
			}
		}))
		if 4*tags > len(body) {
			t.Errorf("%d tags of %d bytes", tags, len(body))
		}
		c, err := parseCapabilities(m)
		check(err)
		if len(c.name()) > 100 {
			t.Errorf("a name of %d bytes", len(c.name()))
		}
		_, err = parseAntennas(m)
		check(err)
		_, err = parseInventories(m)
		check(err)
		_, err = parseNotice(m)
		check(err)
		check(parseStatus(m))
	})
}

func BenchmarkParseReport(b *testing.B) {
	m := message(b, reportEPC96)
	b.ReportAllocs()
	for b.Loop() {
		if err := parseReport(m, func(*observation) {}); err != nil {
			b.Fatal(err)
		}
	}
}
