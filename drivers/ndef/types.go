package ndef

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The well-known types that this package reads.
const (
	typeText   = "T"
	typeURI    = "U"
	typePoster = "Sp"
)

// Text is the content of a text record.
type Text struct {
	Language string // an IANA code: "en", "de-CH"
	Text     string
}

const (
	textUTF16    = 0x80
	textReserved = 0x40
	textLanguage = 0x3F
)

// Text reads a text record, in UTF-8 or UTF-16 (RTD Text 1.0, 3.2.1). Without a
// byte order mark UTF-16 is big-endian.
func (r Record) Text() (Text, error) {
	if r.TNF != TNFWellKnown || r.Type != typeText {
		return Text{}, fmt.Errorf("%w: a record of TNF %d, type %q is not a text", ErrMalformed, r.TNF, r.Type)
	}
	if len(r.Payload) == 0 {
		return Text{}, malformed(0, "a text without a status byte")
	}
	status := r.Payload[0]
	size := int(status & textLanguage)
	switch {
	case status&textReserved != 0:
		return Text{}, malformed(0, "status byte %02X has its reserved bit set", status)
	case size > len(r.Payload)-1:
		return Text{}, malformed(0, "language of %d bytes, %d are left", size, len(r.Payload)-1)
	}
	language, rest := r.Payload[1:1+size], r.Payload[1+size:]
	if i := notASCII(language); i >= 0 {
		return Text{}, malformed(1+i, "language %q is not ASCII", language)
	}
	t := Text{Language: string(language)}
	if status&textUTF16 != 0 {
		text, err := decodeUTF16(rest, 1+size)
		t.Text = text
		return t, err
	}
	if !utf8.Valid(rest) {
		return Text{}, malformed(1+size, "the text is not UTF-8")
	}
	t.Text = string(rest)
	return t, nil
}

func notASCII(b []byte) int {
	return bytes.IndexFunc(b, func(r rune) bool { return r < 0x20 || r > 0x7E })
}

func decodeUTF16(b []byte, offset int) (string, error) {
	if len(b)%2 != 0 {
		return "", malformed(offset+len(b)-1, "UTF-16 of an odd number of bytes")
	}
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		b, offset = b[2:], offset+2
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		b, offset, order = b[2:], offset+2, binary.LittleEndian
	}
	var text []byte
	for i := 0; i < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 <= len(b) {
				r = utf16.DecodeRune(r, rune(order.Uint16(b[i+2:])))
			}
			if utf16.IsSurrogate(r) || r == utf8.RuneError {
				return "", malformed(offset+i, "half of a surrogate pair")
			}
			i += 2
		}
		text = utf8.AppendRune(text, r)
	}
	return string(text), nil
}

// NewText makes a text record in UTF-8.
func NewText(language, text string) (Record, error) {
	if len(language) > textLanguage || notASCII([]byte(language)) >= 0 || !utf8.ValidString(text) {
		return Record{}, fmt.Errorf("%w: text in %q: the language has to be at most %d bytes of ASCII, the text UTF-8", ErrMalformed, language, textLanguage)
	}
	payload := append([]byte{byte(len(language))}, language...)
	return Record{TNF: TNFWellKnown, Type: typeText, Payload: append(payload, text...)}, nil
}

// uriPrefixes are the abbreviations of RTD URI 1.0, table 3, by their number.
func uriPrefixes() [36]string {
	return [...]string{
		"", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:",
		"ftp://anonymous:anonymous@", "ftp://ftp.", "ftps://", "sftp://", "smb://", "nfs://", "ftp://", "dav://",
		"news:", "telnet://", "imap:", "rtsp://", "urn:", "pop:", "sip:", "sips:", "tftp:", "btspp://", "btl2cap://",
		"btgoep://", "tcpobex://", "irdaobex://", "file://", "urn:epc:id:", "urn:epc:tag:", "urn:epc:pat:",
		"urn:epc:raw:", "urn:epc:", "urn:nfc:",
	}
}

// URI reads a URI record, or one whose type is an absolute URI.
func (r Record) URI() (string, error) {
	switch {
	case r.TNF == TNFAbsolute:
		return uriText([]byte(r.Type), "", 0)
	case r.TNF != TNFWellKnown || r.Type != typeURI:
		return "", fmt.Errorf("%w: a record of TNF %d, type %q is not a URI", ErrMalformed, r.TNF, r.Type)
	case len(r.Payload) == 0:
		return "", malformed(0, "a URI without a prefix number")
	}
	prefixes := uriPrefixes()
	if int(r.Payload[0]) >= len(prefixes) {
		return "", malformed(0, "prefix %02X is not defined", r.Payload[0])
	}
	return uriText(r.Payload[1:], prefixes[r.Payload[0]], 1)
}

func uriText(b []byte, prefix string, offset int) (string, error) {
	if !utf8.Valid(b) {
		return "", malformed(offset, "the URI is not UTF-8")
	}
	if i := bytes.IndexFunc(b, func(r rune) bool { return r < 0x20 || r == 0x7F }); i >= 0 {
		return "", malformed(offset+i, "control character %02X in a URI", b[i])
	}
	return prefix + string(b), nil
}

// NewURI makes a URI record with the longest abbreviation there is.
func NewURI(uri string) (Record, error) {
	if _, err := uriText([]byte(uri), "", 0); err != nil {
		return Record{}, err
	}
	number, longest := 0, 0
	for i, p := range uriPrefixes() {
		if len(p) > longest && strings.HasPrefix(uri, p) {
			number, longest = i, len(p)
		}
	}
	return Record{TNF: TNFWellKnown, Type: typeURI, Payload: append([]byte{byte(number)}, uri[longest:]...)}, nil
}

// NewExternal makes a record of a type of one's own: a domain, a colon and a
// name, in lower case.
func NewExternal(name string, payload []byte) (Record, error) {
	domain, rest, ok := strings.Cut(name, ":")
	if !ok || domain == "" || rest == "" || len(name) > 255 || notASCII([]byte(name)) >= 0 || strings.ToLower(name) != name {
		return Record{}, fmt.Errorf(`%w: external type %q, write it like "example.com:note"`, ErrMalformed, name)
	}
	return Record{TNF: TNFExternal, Type: name, Payload: payload}, nil
}

// IsExternal reports whether a record is of an external type. Case does not
// matter (NDEF 1.0, 3.2.10 and RTD 1.0, 3.3).
func (r Record) IsExternal(name string) bool {
	return r.TNF == TNFExternal && strings.EqualFold(r.Type, name)
}

// NewMedia makes a record of a media type, such as "application/cbor".
func NewMedia(mediaType string, payload []byte) (Record, error) {
	kind, sub, ok := strings.Cut(mediaType, "/")
	if !ok || kind == "" || sub == "" || len(mediaType) > 255 || notASCII([]byte(mediaType)) >= 0 {
		return Record{}, fmt.Errorf(`%w: media type %q, write it like "application/cbor"`, ErrMalformed, mediaType)
	}
	return Record{TNF: TNFMedia, Type: mediaType, Payload: payload}, nil
}

// Poster is the content of a smart poster: a URI with what is said of it.
type Poster struct {
	URI    string
	Titles []Text // at most one in each language
	Type   string // media type of what the URI leads to; often empty
	// Action is what to do with the URI: 0 do it, 1 keep it, 2 open it for
	// editing; -1 if the poster does not say.
	Action int
}

// Poster reads a smart poster (RTD Smart Poster 1.0, 3.3): a message in a
// record. Icons and the size of what the URI leads to are left out.
func (r Record) Poster() (Poster, error) {
	if r.TNF != TNFWellKnown || r.Type != typePoster {
		return Poster{}, fmt.Errorf("%w: a record of TNF %d, type %q is not a smart poster", ErrMalformed, r.TNF, r.Type)
	}
	p := Poster{Action: -1}
	uris, at := 0, 0
	var bad error
	err := eachRecord(r.Payload, func(inner Record, from, _ int) {
		if bad == nil {
			at, bad = from, p.take(inner, &uris)
		}
	})
	switch {
	case err != nil:
		return Poster{}, fmt.Errorf("smart poster: %w", err)
	case bad != nil:
		return Poster{}, fmt.Errorf("smart poster: record at byte %d: %w", at, bad)
	case uris != 1:
		return Poster{}, malformed(0, "a smart poster with %d URIs, it has one", uris)
	}
	return p, nil
}

func (p *Poster) take(r Record, uris *int) (err error) {
	if r.TNF != TNFWellKnown {
		return nil
	}
	switch r.Type {
	case typeURI:
		*uris++
		p.URI, err = r.URI()
	case typeText:
		var t Text
		if t, err = r.Text(); err == nil {
			p.Titles = append(p.Titles, t)
		}
	case "act":
		if len(r.Payload) != 1 {
			return malformed(0, "an action of %d bytes", len(r.Payload))
		}
		p.Action = int(r.Payload[0])
	case "t":
		p.Type = string(r.Payload)
	}
	return err
}
