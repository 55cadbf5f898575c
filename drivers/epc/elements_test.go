package epc_test

import (
	"strings"
	"testing"

	"traveler.example/drivers/epc"
)

// Check digits of GS1 General Specifications section 7.9 and of keys in use.
func TestCheckDigit(t *testing.T) {
	for body, want := range map[string]byte{
		"8061414112345": '8', "629104150021": '3', "37610425002123456": '9', "9501093": '9', "": '0', "0000000000000": '0',
	} {
		if got := epc.CheckDigit(body); got != want {
			t.Errorf("check digit of %s is %c, want %c", body, got, want)
		}
	}
}

func TestParseElements(t *testing.T) {
	for _, tt := range []struct {
		text   string
		prefix int
		want   string // without urn:epc:id:
		field  string
	}{
		{"(01)80614141123458(21)6789", 7, "sgtin:0614141.812345.6789", ""},
		{"(01)80614141123458(21)6789", 6, "sgtin:061414.8112345.6789", ""}, // another prefix, another company
		{"(01)80614141123458(21)6789", 12, "sgtin:061414112345.8.6789", ""},
		{"(01)80614141123458(17)271231(10)LOT-7(21)6789", 7, "sgtin:0614141.812345.6789", ""},
		{`(01)80614141123458(21)a\(10)b`, 7, "sgtin:0614141.812345.a(10)b", ""},
		{"(414)0614141123452", 7, "sgln:0614141.12345.0", ""},
		{"(414)0614141123452(254)0", 7, "sgln:0614141.12345.0", ""},
		{"(01)80614141123458(21)6789", 5, "", "length of the company prefix"},
		{"(01)80614141123458(21)6789", 13, "", "length of the company prefix"},
		{"(01)80614141123457(21)6789", 7, "", "element"},
		{"(01)8061414112345(21)6789", 7, "", "element"},
		{"(01)806141411234588(21)6789", 7, "", "element"},
		{"(01)8061414112345x(21)6789", 7, "", "element"},
		{"(01)80614141123458", 7, "", "element"},
		{"(01)80614141123458(21)", 7, "", "serial number"},
		{"(01)80614141123458(21)1(21)2", 7, "", "element"},
		{"(01)80614141123458(21)1(00)106141412345678908", 7, "", "element"},
		{"(01)80614141123458(21)a(b", 7, "", "element string"},
		{`(01)80614141123458(21)a\b`, 7, "", "serial number"},
		{`(01)80614141123458(21)a\`, 7, "", "serial number"},
		{"(8003)80614141123452400", 7, "", "element"},
		{"(8003)00614141123452", 7, "", "serial number"},
		{"(253)0614141123452", 7, "", "serial number"},
		{"(8004)061414", 7, "", "element"},
		{"(8004)0614141", 7, "", "asset reference"},
		{"(8018)0614141123456789020", 7, "", "element"},
		{"(8010)061414112345", 7, "", "element"},
		{"(10)LOT-7", 7, "", ""},
		{"", 7, "", ""},
		{"()", 7, "", "element string"},
		{"0180614141123458", 7, "", "element string"},
		{"(01", 7, "", "element string"},
		{"(99999)1", 7, "", "element string"},
		{strings.Repeat("(10)x", 1000), 7, "", "element string"},
	} {
		checkParsed(t, tt.text, tt.want, tt.field)(epc.ParseElements(tt.text, tt.prefix))
	}
}

func checkParsed(t *testing.T, text, want, field string) func(epc.Identity, error) {
	return func(id epc.Identity, err error) {
		t.Helper()
		if want != "" {
			want, _ := epc.ParseIdentity("urn:epc:id:" + want)
			if id != want || err != nil || want == (epc.Identity{}) {
				t.Errorf("%s: %v, %v; want %v", text, id, err, want)
			}
			return
		}
		if !fault(err, field) || id != (epc.Identity{}) {
			t.Errorf("%s: %v, %v; want an error of %q", text, id, err, field)
		}
	}
}

func TestParseDigitalLink(t *testing.T) {
	const sgtin = "sgtin:0614141.812345.6789"
	for _, tt := range []struct{ uri, want, field string }{
		{"https://id.gs1.org/01/80614141123458/21/6789", sgtin, ""},
		{"HTTP://example.com:8080/01/80614141123458/21/6789/", sgtin, ""},
		{"https://example.com/some/where/01/80614141123458/21/6789?17=271231&linkType=gs1:pip#top", sgtin, ""},
		{"https://example.com/00/01/80614141123458/21/6789", sgtin, ""}, // a path that looks like a key
		{"https://example.com/01/80614141123458/22/2A/10/LOT%2F7/21/6789", sgtin, ""},
		{"https://example.com/01/80614141123458/21/%36789", sgtin, ""}, // an escape that was not needed
		{"https://example.com/01/80614141123458/21/32a%2fb", "sgtin:0614141.812345.32a%2Fb", ""},
		{"https://example.com/414/0614141123452", "sgln:0614141.12345.0", ""},
		{"https://example.com/01/80614141123458/21/00", "sgtin:0614141.812345.00", ""},
		{"https://example.com/01/80614141123458/21/%00", "", "serial number"},
		{"https://example.com/01/80614141123458/21/%2", "", "link"},
		{"https://example.com/01/80614141123458/21/%gg", "", "link"},
		{"https://example.com/01/80614141123458", "", "element"},
		{"https://example.com/01/80614141123458/lot/6789", "", "link"},
		{"https://example.com/01/80614141123458/21", "", ""},
		{"https://example.com/gtin/80614141123458/ser/6789", "", ""},
		{"https://example.com/01/80614141123457/21/6789", "", "element"},
		{"https:///01/80614141123458/21/6789", "", "link"},
		{"https://example.com", "", ""},
		{"ftp://example.com/01/80614141123458/21/6789", "", ""},
		{"/01/80614141123458/21/6789", "", ""},
		{"https://example.com/01/80614141123458/21/" + strings.Repeat("6", 3000), "", "link"},
	} {
		checkParsed(t, tt.uri, tt.want, tt.field)(epc.ParseDigitalLink(tt.uri, 7))
	}
}
