package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
)

// Digest returns a digest of each section and top-level key of a profile that says
// something: equal where two profiles make the same of a gateway, wherever their values
// were written. It is for telling that, and in what, a file differs from what runs; it
// is short and keeps nothing secret.
func Digest(p Profile) map[string]string {
	digests := make(map[string]string)
	for _, f := range fieldsOf(reflect.ValueOf(&p).Elem()) {
		var w writer
		if text := literal(f.value); text == "" {
			w.section(f.value, f.name, f.name)
		} else if !f.value.IsZero() {
			w.line(f.name, text, f.name)
		}
		if w.out.Len() > 0 {
			sum := sha256.Sum256(w.out.Bytes())
			digests[f.name] = hex.EncodeToString(sum[:8])
		}
	}
	return digests
}
