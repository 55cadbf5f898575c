package plant

import (
	"fmt"
	"strconv"
	"strings"
)

// modelForms is §4 of PROTOCOL.md, copied by hand: an object and whether it is a
// map or an array, then its fields: key, name, type, "!" for always or "?" for
// if not zero, and limits: a range of the value, length or count; "asc" for
// ascending and distinct, "distinct" or "distinct=field".
const modelForms = `
pubkey array
0 alg uint ! 1-2
1 bytes bytes ! 1-1024
admin array
0 name name !
1 key pubkey !
genesis map
1 version uint ! 1-1
2 name name !
3 time int ! 0-
4 admins list:admin ! 1-64 distinct=name
5 threshold uint ! 1-64
6 recovery pubkey !
7 nonce nonce !
statement map
1 version uint ! 1-1
2 builds_on list:hash ? 1-16 asc
3 changes list:change ! 1-1024
4 time int ! 0-
5 sigs list:statementsig ? 1-65 asc=key
statementsig array
0 key keyid !
1 sig bytes ! 1-512
change map
1 kind uint ! 1-7
2 name name ?
3 key pubkey ?
4 roles uint ? 1-255
5 subject keyid ?
6 station id ?
7 work_centre id ?
8 intake uint ? 1-1
9 heads list:hash ? 1-256 asc
10 admins list:admin ? 1-64 distinct=name
11 threshold uint ? 1-64
12 value int ?
tx map
1 version uint ! 1-1
2 kind uint ! 1-255
3 sender keyid ! nonzero
4 time int ! 0-
5 clock uint ? 1-1
6 item hash ?
7 after list:hash ? 1-16 distinct
8 about list:hash ? 1-16 distinct
9 operators list:keyid ? 1-2 distinct nonzero
10 body bytes !
11 sig bytes ? 1-512
order map
1 id id !
2 product id !
3 design text ? 1-2048
4 document hash ?
5 quantity int ? 0-
6 routing list:operation ? 1-64 distinct=id
7 replaces hash ?
8 cancelled uint ? 1-1
operation map
1 id id !
2 task id !
3 place id !
4 needs list:id ? 1-64 distinct
5 inputs list:need ? 1-64 distinct=product
6 limits list:limit ? 1-32 distinct=name
7 max_returns uint ! 0-16
8 dwell int ? 0-86400000
9 signers uint ? 1-2
10 consumed_by id ?
need array
0 product id !
1 count int ! 1-64
limit map
1 name id !
2 min int !
3 max int !
4 exponent int ? -18-18
5 unit id !
6 on_fail uint ! 2-3
option array
0 task id !
1 operation id !
2 place id !
measurement array
0 name id !
1 value int !
2 exponent int ! -18-18
3 unit id !
input array
0 item hash !
1 head hash !
intake map
1 station id !
2 label id !
3 tags list:id ? 1-16 distinct
4 order hash !
5 product id !
6 lot id ?
7 options list:option ! 1-16
report map
1 station id !
2 operation id !
3 task id !
4 outcome uint ! 1-2
5 measurements list:measurement ? 1-32 distinct=name
6 weight int ? 0-
7 inputs list:input ? 1-64 distinct=item
8 failure text ? 1-256
9 options list:option ? 1-16
10 note text ? 1-256
verdict map
1 station id !
2 operation id !
3 task id !
4 option uint ? 0-15
5 ruling uint ! 1-3
6 reason text ? 1-256
7 tag id ?
8 weight int ? 0-
9 note bytes ? 1-128
disposition map
1 ruling uint ! 4-8
2 operation id ?
3 task id ?
4 place id ?
5 order hash ?
6 reason text ! 1-256
withdraw map
1 target hash ?
2 keeps hash ?
3 reason text ? 1-256
amend map
1 measurements list:measurement ? 1-32 distinct=name
2 weight int ? 0-
3 failure text ? 1-256
4 note text ? 1-256
5 reason text ! 1-256
bind map
1 tags list:id ? 1-16 distinct
2 supersedes list:hash ? 1-16 distinct
misroute map
1 station id !
2 tag id ?
header map
1 version uint ! 1-1
2 author keyid ! nonzero
3 height uint ! 1-281474976710656
4 prev hash !
5 also hash ?
6 skip hash !
7 time int ! 0-
8 clock uint ? 1-1
9 roster list:hash ! 1-16 asc
10 root hash !
11 count uint ! 0-256
block array
0 header bytes !
1 sig bytes ! 1-512
2 txs list:bytes ! 0-256
`

// mForm is one object of modelForms.
type mForm struct {
	array  bool
	fields []mField
}

type mField struct {
	key               int64
	name, typ         string
	always            bool
	bounded           bool
	least, most       int64
	asc, distinct, by string
	nonzero           bool
}

// readModelForms reads modelForms. It panics on a slip in it.
func readModelForms() map[string]*mForm {
	forms := map[string]*mForm{}
	var form *mForm
	for line := range strings.Lines(strings.TrimSpace(modelForms)) {
		w := strings.Fields(line)
		if len(w) == 2 {
			form = &mForm{array: w[1] == "array"}
			forms[w[0]] = form
			continue
		}
		key, err := strconv.ParseInt(w[0], 10, 64)
		if err != nil {
			panic(fmt.Sprintf("model forms: %q: %v", line, err))
		}
		f := mField{key: key, name: w[1], typ: w[2], always: w[3] == "!"}
		for _, limit := range w[4:] {
			f.limit(limit)
		}
		form.fields = append(form.fields, f)
	}
	return forms
}

func (f *mField) limit(word string) {
	rule, by, _ := strings.Cut(word, "=")
	switch rule {
	case "asc":
		f.asc, f.by = "asc", by
	case "distinct":
		f.distinct, f.by = "distinct", by
	case "nonzero":
		f.nonzero = true
	default:
		cut := strings.LastIndex(word, "-")
		f.bounded, f.least, f.most = true, modelNumber(word[:cut], 0), modelNumber(word[cut+1:], 1<<63-1)
	}
}

func modelNumber(s string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return otherwise
}
