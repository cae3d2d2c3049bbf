/*
 * The usual case of a log call, in C: a line's parts, if all there is to know of them is
 * known, and the line, with its number, to the sink.
 *
 * Emitter stands before tierlog.pipeline.Pipeline, and has two of its methods; the state
 * that these share with it is in members of the same names. Until the line is whole, no
 * code is run but the clock's, the redactor's and orjson's: types are exact, and what is
 * looked up was put there by tierlog.parts. Whatever is unusual is left to the Python code,
 * which does all of it. It keeps to the stable interface of Python 3.11, so that one build
 * is for all later versions; and it relies on the interpreter's lock (the GIL).
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <structmember.h>
#ifdef _WIN32
#include <io.h>
#define write _write
#else
#include <unistd.h>
#endif

#define MOST_CHARS 200    /* of a message: the shape of a longer one isn't remembered by tierlog.redact */
#define MOST_BYTES 60000  /* of data, as JSON: with a message it might have to be cut */
#define NUMBER_CHARS 20   /* of 64 bits */
#define NS_PER_MS 1000000
#define MOST_HELD 65536   /* bytes of a line: what is larger may take long */
#define ARGUMENTS 12      /* of emit() */
#define ROUTE_KEY 5       /* where tierlog.envelope.Route has its key */

static PyObject *dumps, *current, *trace_ids, *os_write, *line_form, *modules;
static PyObject *name_clean, *name_data, *name_heads, *name_src, *name_text, *name_tracing, *name_work_out;

typedef struct {
    PyObject_HEAD
    PyObject *acquire, *release, *clock, *deferred, *known, *sink_meet, *sink_write;
    long long seq;
    unsigned long long turn; /* of the line that came last */
    char is_writing;
} Emitter;

typedef struct {
    PyObject *head, *source, *message, *body;
} Parts;

typedef struct {
    PyObject_HEAD
    PyObject *key, *put, *put_held;
    long long size;
    double due, limit, used;
} Slot;

typedef struct {
    PyObject_HEAD
    PyObject *keep, *last, *monotonic;
    int held_lines;
    char is_busy;
} Appender;

static PyTypeObject *slot_type;

static int is_text_or_none(PyObject *value)
{
    return value == Py_None || PyUnicode_CheckExact(value);
}

static int is_plain(PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyBool_Check(value)
        || value == Py_None;
}

/* Return what a log call's extra and data say together, borrowed; NULL if it isn't a dict or None. */
static PyObject *payload(PyObject *extra, PyObject *data)
{
    if (extra != Py_None) {
        if (!PyDict_CheckExact(extra))
            return NULL;
        if (PyDict_Size(extra) > 0) {
            data = PyDict_Size(extra) == 1 ? PyDict_GetItemWithError(extra, name_data) : NULL;
            return data != NULL && PyDict_CheckExact(data) ? data : NULL;
        }
    }
    return data == Py_None || PyDict_CheckExact(data) ? data : NULL;
}

/* Return the message, formatted; NULL if it isn't a text, or an argument isn't plain. */
static PyObject *formatted(PyObject *msg, PyObject *args)
{
    if (!PyUnicode_CheckExact(msg))
        return NULL;
    if (args != Py_None) {
        if (!PyTuple_CheckExact(args))
            return NULL;
        Py_ssize_t count = PyTuple_Size(args);
        for (Py_ssize_t at = 0; at < count; at++)
            if (!is_plain(PyTuple_GetItem(args, at)))
                return NULL;
        if (count > 0)
            return PyUnicode_Format(msg, args);
    }
    return Py_NewRef(msg);
}

/* Return a text as JSON, as the redactor leaves it; it isn't asked if the shape, with zeros for digits, is one of *shapes*. */
static PyObject *clean_message(PyObject *text, PyObject *shapes, PyObject *redactor)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    /* A new object, of which nobody else knows yet: of bytes that are given, short ones are shared by all. */
    PyObject *shape = bytes != NULL ? PyBytes_FromStringAndSize(NULL, size) : NULL;
    if (shape == NULL)
        return NULL;
    char *zeroed = PyBytes_AsString(shape);
    int is_escaped = 0;
    for (Py_ssize_t at = 0; at < size; at++) {
        unsigned char one = (unsigned char)bytes[at];
        zeroed[at] = one >= '1' && one <= '9' ? '0' : bytes[at];
        if (one < 0x20 || one == '"' || one == '\\')
            is_escaped = 1;
    }
    int is_clean = PySet_Contains(shapes, shape);
    Py_DECREF(shape);
    PyObject *message = NULL;
    if (is_clean == 0 || is_escaped) {
        PyObject *ask = is_clean == 0 ? PyObject_GetAttr(redactor, name_text) : NULL;
        PyObject *shown = ask != NULL ? PyObject_CallFunctionObjArgs(ask, text, NULL) : is_clean == 1 ? Py_NewRef(text) : NULL;
        message = shown != NULL ? PyObject_CallFunctionObjArgs(dumps, shown, NULL) : NULL;
        Py_XDECREF(ask);
        Py_XDECREF(shown);
    } else if (is_clean == 1 && (message = PyBytes_FromStringAndSize(NULL, size + 2)) != NULL) {
        char *out = PyBytes_AsString(message);
        out[0] = out[size + 1] = '"';
        memcpy(out + 1, bytes, (size_t)size);
    }
    return message;
}

/* Return data as JSON if its keys and texts are known to be clean, and all else in it plain; NULL if not. */
static PyObject *clean_body(PyObject *data, PyObject *keys, PyObject *texts)
{
    if (data == Py_None)
        return PyBytes_FromStringAndSize("{}", 2);
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(data, &at, &key, &value)) {
        if (!PyUnicode_CheckExact(key) || PySet_Contains(keys, key) != 1 || !is_plain(value))
            return NULL;
        if (PyUnicode_CheckExact(value) && PySet_Contains(texts, value) != 1)
            return NULL;
        if (PyFloat_CheckExact(value) && !isfinite(PyFloat_AsDouble(value)))
            return NULL;
    }
    return PyObject_CallFunctionObjArgs(dumps, data, NULL);
}

/* Return the head for these, a new reference; NULL if none is known that holds at *ms* and has no notes. */
static PyObject *known_head(PyObject *context, PyObject *key, PyObject *tier, PyObject *kind, PyObject *lvl, long long ms)
{
    PyObject *heads = PyObject_GetAttr(context, name_heads);
    PyObject *wanted = heads != NULL && PyDict_CheckExact(heads) ? PyTuple_Pack(4, key, tier, kind, lvl) : NULL;
    PyObject *head = wanted != NULL ? PyDict_GetItemWithError(heads, wanted) : NULL;
    Py_XDECREF(wanted);
    Py_XINCREF(head);
    Py_XDECREF(heads);
    if (head != NULL) {
        int holds = PyLong_AsLongLong(PyTuple_GetItem(head, 2)) <= ms && ms < PyLong_AsLongLong(PyTuple_GetItem(head, 3));
        if (holds && PyTuple_GetItem(head, 4) == Py_None)
            return head;
        Py_DECREF(head);
    }
    return NULL;
}

/* Return the part of a line that names its source, a new reference; NULL if it isn't known. */
static PyObject *known_source(PyObject *context, PyObject *sources, PyObject *named_src, PyObject *src)
{
    PyObject *bound = PyObject_GetAttr(context, name_src);
    PyObject *name = named_src != Py_None ? named_src : bound != NULL && bound != Py_None ? bound : src;
    PyObject *source = NULL;
    if (bound != NULL && PyUnicode_CheckExact(name) && PyUnicode_GetLength(name) > 0)
        source = PyDict_GetItemWithError(sources, name);
    Py_XINCREF(source);
    Py_XDECREF(bound);
    return source;
}

/* Tell whether OpenTelemetry is used, and has a span now. */
static int is_traced(void)
{
    if (PyDict_GetItemWithError(modules, name_tracing) == NULL)
        return 0;
    PyObject *ids = PyObject_CallNoArgs(trace_ids);
    int has_span = ids == NULL || PyObject_IsTrue(ids) != 0;
    Py_XDECREF(ids);
    return has_span;
}

/* Find the parts of a line and tell whether that took no more than to look them up; given[0] and given[1] are ms and context. */
static int look_up(Emitter *self, PyObject *const *given, Parts *parts)
{
    PyObject *context = given[1], *lvl = given[2], *src = given[3], *msg = given[4], *args = given[5], *extra = given[6];
    PyObject *data = given[7], *tier = given[8], *kind = given[9], *fields = given[10], *named_src = given[11];
    PyObject *known = Py_XNewRef(self->known), *clean = NULL, *text = NULL;

    if (known == NULL || !PyTuple_CheckExact(known) || PyTuple_Size(known) != 3 || fields != Py_None)
        goto done;
    PyObject *key = PyTuple_GetItem(known, 0), *sources = PyTuple_GetItem(known, 1), *redactor = PyTuple_GetItem(known, 2);
    if (!PyUnicode_CheckExact(lvl) || !is_text_or_none(tier) || !is_text_or_none(kind) || !is_text_or_none(named_src) || is_traced())
        goto done;
    long long ms = PyLong_AsLongLong(given[0]);
    if (ms == -1 && PyErr_Occurred())
        goto done;
    clean = PyObject_GetAttr(redactor, name_clean);
    if (clean == NULL || !PyTuple_CheckExact(clean) || PyTuple_Size(clean) != 3)
        goto done;
    data = payload(extra, data);
    /* The redactor comes last: what it hides is counted, and must not be hidden again by the Python code. */
    if (data != NULL
        && (parts->body = clean_body(data, PyTuple_GetItem(clean, 0), PyTuple_GetItem(clean, 1))) != NULL
        && PyBytes_Size(parts->body) <= MOST_BYTES
        && (parts->head = known_head(context, key, tier, kind, lvl, ms)) != NULL
        && (parts->source = known_source(context, sources, named_src, src)) != NULL
        && (text = formatted(msg, args)) != NULL
        && PyUnicode_GetLength(text) <= MOST_CHARS)
        parts->message = clean_message(text, PyTuple_GetItem(clean, 2), redactor);

done:
    Py_XDECREF(known);
    Py_XDECREF(clean);
    Py_XDECREF(text);
    return parts->message != NULL;
}

static char *put(char *out, PyObject *bytes)
{
    Py_ssize_t size = PyBytes_Size(bytes);
    memcpy(out, PyBytes_AsString(bytes), (size_t)size);
    return out + size;
}

static char *put_text(char *out, const char *text)
{
    size_t size = strlen(text);
    memcpy(out, text, size);
    return out + size;
}

static char *put_number(char *out, long long number)
{
    char digits[NUMBER_CHARS];
    int count = 0;
    unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *out++ = '-';
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

/* Return tierlog.ndjson.LINE % these. */
static PyObject *joined(PyObject *ms, PyObject *head, long long number, const Parts *parts)
{
    PyObject *source = parts->source, *message = parts->message, *body = parts->body;
    if (!PyBytes_Check(head) || !PyBytes_Check(source) || !PyBytes_Check(message) || !PyBytes_Check(body)) {
        PyErr_SetString(PyExc_TypeError, "the parts of a line are bytes");
        return NULL;
    }
    long long ts = PyLong_AsLongLong(ms);
    if (ts == -1 && PyErr_Occurred()) { /* a time that is no number of 64 bits */
        PyErr_Clear();
        PyObject *all = Py_BuildValue("(OOLOOO)", ms, head, number, source, message, body);
        PyObject *shown = all != NULL ? PyNumber_Remainder(line_form, all) : NULL;
        Py_XDECREF(all);
        return shown;
    }
    Py_ssize_t most = PyBytes_Size(head) + PyBytes_Size(source) + PyBytes_Size(message) + PyBytes_Size(body) + 2 * NUMBER_CHARS + 32;
    char *start = PyMem_Malloc((size_t)most);
    if (start == NULL)
        return PyErr_NoMemory();
    char *out = put_number(put_text(start, "{\"ts\":"), ts);
    out = put_number(put(out, head), number);
    out = put(out, source);
    out = put(put_text(out, ",\"msg\":"), message);
    out = put(put_text(out, ",\"data\":"), body);
    out = put_text(out, "}\n");
    PyObject *made = PyBytes_FromStringAndSize(start, out - start);
    PyMem_Free(start);
    return made;
}

/* Call a member, which may be taken away meanwhile; the arguments end with NULL, or are none. */
static PyObject *called(PyObject *member, PyObject *first, PyObject *second)
{
    if (member == NULL) {
        PyErr_SetString(PyExc_AttributeError, "what belongs to a pipeline was taken away");
        return NULL;
    }
    Py_INCREF(member);
    PyObject *found = PyObject_CallFunctionObjArgs(member, first, second, NULL);
    Py_DECREF(member);
    return found;
}

/* Take the exception that was raised; it is whole. */
static PyObject *caught(void)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL)
        PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

/* Raise it again. */
static void raise_again(PyObject *error)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), Py_NewRef(error), PyException_GetTraceback(error));
}

/* Number a line and give it to the sink, for a caller who has the lock; return what the sink does, NULL if it is to be raised. */
static PyObject *written(Emitter *self, PyObject *ms, PyObject *head, PyObject *route, const Parts *parts)
{
    PyObject *line = joined(ms, head, self->seq, parts), *commit = NULL;
    if (line != NULL) {
        self->seq++;
        commit = called(self->sink_write, line, route);
    }
    if (commit == NULL) {
        PyObject *error = caught();
        PyObject *kept = line != NULL ? Py_NewRef(line) : PyBytes_FromStringAndSize("", 0);
        PyObject *told = kept != NULL ? PyObject_CallMethod((PyObject *)self, "_lost", "OOO", kept, route, error) : NULL;
        if (told != NULL && PyErr_GivenExceptionMatches(error, PyExc_Exception))
            commit = Py_NewRef(Py_None);
        else if (told != NULL)
            raise_again(error);
        Py_XDECREF(told);
        Py_XDECREF(kept);
        Py_DECREF(error);
    }
    Py_XDECREF(line);
    return commit;
}

/* Do what Pipeline._write() does; tell whether it raised nothing. */
static int write_parts(Emitter *self, PyObject *ms, const Parts *parts)
{
    PyObject *head = parts->head, *commit = NULL;
    if (self->acquire == NULL || self->release == NULL || self->sink_write == NULL || self->sink_meet == NULL
        || self->deferred == NULL || !PyList_Check(self->deferred) || !PyTuple_Check(head) || PyTuple_Size(head) < 2) {
        PyErr_SetString(PyExc_TypeError, "only a pipeline's lines can be written");
        return 0;
    }
    PyObject *acquire = Py_NewRef(self->acquire), *release = Py_NewRef(self->release), *deferred = Py_NewRef(self->deferred);
    unsigned long long turn = ++self->turn;
    int is_deferred = 0;
    PyObject *done = PyObject_CallNoArgs(acquire);
    if (done == NULL)
        goto end;
    Py_DECREF(done);
    /* No code of Python's runs between these, so that no signal handler can raise there. */
    if ((is_deferred = self->is_writing)) {
        commit = PyObject_CallMethod((PyObject *)self, "_defer", "O(OOOO)", ms, head, parts->source, parts->message, parts->body);
    } else {
        self->is_writing = 1;
        commit = written(self, ms, PyTuple_GetItem(head, 0), PyTuple_GetItem(head, 1), parts);
        self->is_writing = 0;
    }
    PyObject *error = commit == NULL ? caught() : NULL;
    done = PyObject_CallNoArgs(release);
    if (error != NULL) {
        Py_CLEAR(done);
        raise_again(error);
        Py_DECREF(error);
    }
    int is_met = self->turn != turn; /* while this one was written, another thread came to the lock */
    if (done != NULL && !is_deferred && (commit != Py_None || PyList_Size(deferred) > 0)) {
        Py_DECREF(done);
        done = PyObject_CallMethod((PyObject *)self, "_afterwards", "(O)", commit);
    }
    if (done != NULL && !is_deferred && is_met) {
        Py_DECREF(done);
        done = called(self->sink_meet, NULL, NULL);
    }

end:
    Py_XDECREF(done);
    Py_XDECREF(commit);
    Py_DECREF(acquire);
    Py_DECREF(release);
    Py_DECREF(deferred);
    return done != NULL;
}

/* Return the clock's time, in milliseconds. */
static PyObject *now_ms(Emitter *self)
{
    PyObject *clock = Py_XNewRef(self->clock), *now = clock != NULL ? PyObject_CallNoArgs(clock) : NULL;
    long long ns = now != NULL ? PyLong_AsLongLong(now) : -1;
    Py_XDECREF(clock);
    Py_XDECREF(now);
    if (ns == -1 && (now == NULL || PyErr_Occurred()))
        return NULL;
    return PyLong_FromLongLong(ns / NS_PER_MS - (ns % NS_PER_MS < 0));
}

PyDoc_STRVAR(emit_doc,
"emit($self, ms, context, lvl, src, msg, args, extra, data, tier, kind, fields, named_src, /)\n"
"--\n"
"\n"
"Write one event, as tierlog.pipeline.Pipeline.emit() does.");

static PyObject *emit(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    if (count != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError, "emit() takes 12 arguments");
        return NULL;
    }
    PyObject *all[ARGUMENTS], *result = NULL;
    Parts parts = {NULL, NULL, NULL, NULL};
    memcpy(all, given, sizeof all);
    all[0] = given[0] == Py_None ? now_ms((Emitter *)self) : Py_NewRef(given[0]);
    all[1] = all[0] == NULL ? NULL : given[1] == Py_None ? PyObject_CallNoArgs(current) : Py_NewRef(given[1]);
    if (all[1] != NULL && look_up((Emitter *)self, all, &parts)) {
        if (write_parts((Emitter *)self, all[0], &parts)) {
            result = Py_NewRef(Py_None);
        } else if (PyErr_ExceptionMatches(PyExc_Exception)) {
            PyObject *error = caught(), *payload = all[7] == Py_None ? all[6] : all[7];
            result = PyObject_CallMethod(self, "_salvage", "OOOOO", all[0], all[2], all[4], payload, error);
            Py_DECREF(error);
        }
    } else if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear(); /* the Python code meets it, too, and says what is to be said */
        PyObject *work_out = PyObject_GetAttr(self, name_work_out);
        if (work_out != NULL)
            result = PyObject_CallFunctionObjArgs(work_out, all[0] != NULL ? all[0] : Py_None, all[1] != NULL ? all[1] : Py_None, all[2],
                all[3], all[4], all[5], all[6], all[7], all[8], all[9], all[10], all[11], NULL);
        Py_XDECREF(work_out);
    }
    Py_XDECREF(all[0]);
    Py_XDECREF(all[1]);
    Py_XDECREF(parts.head);
    Py_XDECREF(parts.source);
    Py_XDECREF(parts.message);
    Py_XDECREF(parts.body);
    return result;
}

PyDoc_STRVAR(write_doc,
"_write($self, ms, parts, /)\n"
"--\n"
"\n"
"Give a line its number, and write it, as tierlog.pipeline.Pipeline._write() does.");

static PyObject *write_line(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    if (count != 2 || !PyTuple_Check(given[1]) || PyTuple_Size(given[1]) != 4) {
        PyErr_SetString(PyExc_TypeError, "_write() takes a time and the four parts of a line");
        return NULL;
    }
    PyObject *all = given[1];
    Parts parts = {PyTuple_GetItem(all, 0), PyTuple_GetItem(all, 1), PyTuple_GetItem(all, 2), PyTuple_GetItem(all, 3)};
    return write_parts((Emitter *)self, given[0], &parts) ? Py_NewRef(Py_None) : NULL;
}

static void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static int traverse_emitter(PyObject *self, visitproc visit, void *arg)
{
    Emitter *own = (Emitter *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(own->acquire);
    Py_VISIT(own->release);
    Py_VISIT(own->clock);
    Py_VISIT(own->deferred);
    Py_VISIT(own->known);
    Py_VISIT(own->sink_meet);
    Py_VISIT(own->sink_write);
    return 0;
}

static int clear_emitter(PyObject *self)
{
    Emitter *own = (Emitter *)self;
    Py_CLEAR(own->acquire);
    Py_CLEAR(own->release);
    Py_CLEAR(own->clock);
    Py_CLEAR(own->deferred);
    Py_CLEAR(own->known);
    Py_CLEAR(own->sink_meet);
    Py_CLEAR(own->sink_write);
    return 0;
}

static void dealloc_emitter(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_emitter(self);
    free_object(self);
}

static PyMethodDef emitter_methods[] = {
    {"emit", (PyCFunction)(void (*)(void))emit, METH_FASTCALL, emit_doc},
    {"_write", (PyCFunction)(void (*)(void))write_line, METH_FASTCALL, write_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef emitter_members[] = {
    {"_acquire", T_OBJECT_EX, offsetof(Emitter, acquire), 0, NULL},
    {"_release", T_OBJECT_EX, offsetof(Emitter, release), 0, NULL},
    {"clock", T_OBJECT_EX, offsetof(Emitter, clock), 0, NULL},
    {"_deferred", T_OBJECT_EX, offsetof(Emitter, deferred), 0, NULL},
    {"_known", T_OBJECT_EX, offsetof(Emitter, known), 0, NULL},
    {"_sink_meet", T_OBJECT_EX, offsetof(Emitter, sink_meet), 0, NULL},
    {"_sink_write", T_OBJECT_EX, offsetof(Emitter, sink_write), 0, NULL},
    {"_seq", T_LONGLONG, offsetof(Emitter, seq), 0, NULL},
    {"_is_writing", T_BOOL, offsetof(Emitter, is_writing), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot emitter_slots[] = {
    {Py_tp_doc, "What numbers lines and writes them, in C; see tierlog.pipeline."},
    {Py_tp_methods, emitter_methods},
    {Py_tp_members, emitter_members},
    {Py_tp_traverse, traverse_emitter},
    {Py_tp_clear, clear_emitter},
    {Py_tp_dealloc, dealloc_emitter},
    {0, NULL},
};

static PyType_Spec emitter_spec = {
    .name = "tierlog._speedups.Emitter",
    .basicsize = sizeof(Emitter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = emitter_slots,
};

/* Append a line to the segment that the last one went to; NULL if it wasn't taken whole, or there's an error. */
static PyObject *appended(Appender *self, Slot *slot, PyObject *line, double now)
{
    long long size = PyBytes_Size(line);
    int is_held = self->held_lines > 0 && slot->put_held != NULL && slot->put_held != Py_None;
    PyObject *put = Py_XNewRef(is_held ? slot->put_held : slot->put), *count = put != NULL ? PyObject_CallFunctionObjArgs(put, line, NULL) : NULL, *done = NULL;
    Py_XDECREF(put);
    slot->used = now;
    if (self->held_lines > 0)
        self->held_lines--;
    long long taken = count != NULL ? PyLong_AsLongLong(count) : -1;
    if (count != NULL && (taken != -1 || !PyErr_Occurred())) {
        done = taken == size ? Py_NewRef(Py_None) : PyObject_CallMethod((PyObject *)slot, "complete", "OO", line, count);
        if (done != NULL)
            slot->size += size;
    }
    Py_XDECREF(count);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_OSError)) {
        PyObject *error = caught();
        done = PyObject_CallMethod((PyObject *)self, "_write_elsewhere", "OOO", slot, line, error);
        Py_DECREF(error);
    }
    return done;
}

PyDoc_STRVAR(write_locked_doc,
"write_locked($self, event_line, route, /)\n"
"--\n"
"\n"
"Append a line, as tierlog.segments.SegmentSink.write() does, for a caller who has the lock.");

static PyObject *write_locked(PyObject *given_self, PyObject *const *given, Py_ssize_t count)
{
    Appender *self = (Appender *)given_self;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "write_locked() takes a line and its route");
        return NULL;
    }
    PyObject *line = given[0], *route = given[1], *last = self->last, *result = NULL;
    int is_usual = !self->is_busy && (self->keep == NULL || self->keep == Py_None) && self->monotonic != NULL && last != NULL
        && PyObject_TypeCheck(last, slot_type) && PyBytes_CheckExact(line) && PyTuple_Check(route) && PyTuple_Size(route) > ROUTE_KEY
        && ((Slot *)last)->key == PyTuple_GetItem(route, ROUTE_KEY);
    if (is_usual) {
        Slot *slot = (Slot *)Py_NewRef(last);
        PyObject *monotonic = Py_NewRef(self->monotonic), *now = PyObject_CallNoArgs(monotonic);
        double seconds = now != NULL ? PyFloat_AsDouble(now) : -1.0;
        Py_DECREF(monotonic);
        Py_XDECREF(now);
        /* The clock may be Python's, and what it runs may have ended the segment. */
        is_usual = !PyErr_Occurred() && self->last == last && slot->put != NULL && seconds < slot->due && (double)(slot->size + PyBytes_Size(line)) <= slot->limit;
        if (is_usual)
            result = appended(self, slot, line, seconds);
        Py_DECREF(slot);
    }
    if (!is_usual && !PyErr_Occurred())
        result = PyObject_CallMethod(given_self, "_write_otherwise", "OO", line, route);
    return result;
}

static int traverse_slot(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Slot *)self)->key);
    Py_VISIT(((Slot *)self)->put);
    Py_VISIT(((Slot *)self)->put_held);
    return 0;
}

static int clear_slot(PyObject *self)
{
    Py_CLEAR(((Slot *)self)->key);
    Py_CLEAR(((Slot *)self)->put);
    Py_CLEAR(((Slot *)self)->put_held);
    return 0;
}

static void dealloc_slot(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_slot(self);
    free_object(self);
}

static int traverse_appender(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Appender *)self)->keep);
    Py_VISIT(((Appender *)self)->last);
    Py_VISIT(((Appender *)self)->monotonic);
    return 0;
}

static int clear_appender(PyObject *self)
{
    Py_CLEAR(((Appender *)self)->keep);
    Py_CLEAR(((Appender *)self)->last);
    Py_CLEAR(((Appender *)self)->monotonic);
    return 0;
}

static void dealloc_appender(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_appender(self);
    free_object(self);
}

static PyMemberDef slot_members[] = {
    {"key", T_OBJECT_EX, offsetof(Slot, key), 0, NULL},
    {"put", T_OBJECT_EX, offsetof(Slot, put), 0, NULL},
    {"put_held", T_OBJECT, offsetof(Slot, put_held), 0, NULL},
    {"size", T_LONGLONG, offsetof(Slot, size), 0, NULL},
    {"due", T_DOUBLE, offsetof(Slot, due), 0, NULL},
    {"limit", T_DOUBLE, offsetof(Slot, limit), 0, NULL},
    {"used", T_DOUBLE, offsetof(Slot, used), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slot_slots[] = {
    {Py_tp_doc, "What is looked at for each line of a segment, in C; see tierlog.segments."},
    {Py_tp_members, slot_members},
    {Py_tp_traverse, traverse_slot},
    {Py_tp_clear, clear_slot},
    {Py_tp_dealloc, dealloc_slot},
    {0, NULL},
};

static PyType_Spec slot_spec = {
    .name = "tierlog._speedups.Slot",
    .basicsize = sizeof(Slot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slot_slots,
};

static PyMethodDef appender_methods[] = {
    {"write_locked", (PyCFunction)(void (*)(void))write_locked, METH_FASTCALL, write_locked_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef appender_members[] = {
    {"_keep", T_OBJECT, offsetof(Appender, keep), 0, NULL},
    {"_last", T_OBJECT, offsetof(Appender, last), 0, NULL},
    {"_monotonic", T_OBJECT_EX, offsetof(Appender, monotonic), 0, NULL},
    {"_held_lines", T_INT, offsetof(Appender, held_lines), 0, NULL},
    {"_is_busy", T_BOOL, offsetof(Appender, is_busy), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot appender_slots[] = {
    {Py_tp_doc, "What appends lines to segments, in C; see tierlog.segments."},
    {Py_tp_methods, appender_methods},
    {Py_tp_members, appender_members},
    {Py_tp_traverse, traverse_appender},
    {Py_tp_clear, clear_appender},
    {Py_tp_dealloc, dealloc_appender},
    {0, NULL},
};

static PyType_Spec appender_spec = {
    .name = "tierlog._speedups.Appender",
    .basicsize = sizeof(Appender),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = appender_slots,
};

/* Append a line to a file, without letting other threads run; return how many bytes of it were taken. */
static PyObject *put_held(PyObject *fd, PyObject *line)
{
    if (!PyBytes_Check(line)) {
        PyErr_SetString(PyExc_TypeError, "a line is bytes");
        return NULL;
    }
    int number = (int)PyLong_AsLong(fd); /* held_put() has seen that it is one */
    Py_ssize_t size = PyBytes_Size(line);
    long count = size <= MOST_HELD ? (long)write(number, PyBytes_AsString(line), (size_t)size) : -1;
    /* If not, os.write() does: what is larger, or again for its error, or after a signal. */
    return count >= 0 ? PyLong_FromLong(count) : PyObject_CallFunctionObjArgs(os_write, fd, line, NULL);
}

static PyMethodDef put_held_definition = {"put", put_held, METH_O, "Append a line; return how many bytes of it were taken."};

PyDoc_STRVAR(held_put_doc,
"held_put(fd, /)\n"
"--\n"
"\n"
"Return what appends a line to fd, as tierlog.segments does where threads meet.");

static PyObject *held_put(PyObject *module, PyObject *fd)
{
    (void)module;
    long number = PyLong_AsLong(fd);
    if (number < 0 || number > INT_MAX) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "that is no open file");
        return NULL;
    }
    return PyCFunction_New(&put_held_definition, fd);
}

static PyMethodDef functions[] = {
    {"held_put", held_put, METH_O, held_put_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tierlog._speedups",
    .m_doc = "The usual case of a log call, in C; see tierlog.pipeline.",
    .m_size = -1,
    .m_methods = functions,
};

/* Return what a module calls *name*. */
static PyObject *imported(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *value = found != NULL ? PyObject_GetAttrString(found, name) : NULL;
    Py_XDECREF(found);
    return value;
}

/* Make a type, and put it into a module, which keeps it. */
static PyObject *added(PyObject *module, const char *name, PyType_Spec *type_spec)
{
    PyObject *type = PyType_FromSpec(type_spec);
    int is_added = type != NULL && PyModule_AddObjectRef(module, name, type) == 0;
    Py_XDECREF(type);
    return is_added ? type : NULL;
}

PyMODINIT_FUNC PyInit__speedups(void)
{
    if ((dumps = imported("orjson", "dumps")) == NULL || (current = imported("tierlog.context", "current")) == NULL
        || (trace_ids = imported("tierlog.tracing", "trace_ids")) == NULL || (os_write = imported("os", "write")) == NULL
        || (line_form = imported("tierlog.ndjson", "LINE")) == NULL || (modules = PyImport_GetModuleDict()) == NULL)
        return NULL;
    Py_INCREF(modules);
    name_clean = PyUnicode_InternFromString("clean");
    name_data = PyUnicode_InternFromString("data");
    name_heads = PyUnicode_InternFromString("heads");
    name_src = PyUnicode_InternFromString("src");
    name_text = PyUnicode_InternFromString("text");
    name_tracing = PyUnicode_InternFromString("opentelemetry.trace");
    name_work_out = PyUnicode_InternFromString("_work_out");
    if (name_clean == NULL || name_data == NULL || name_heads == NULL || name_src == NULL || name_text == NULL || name_tracing == NULL
        || name_work_out == NULL)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL
        && (PyModule_AddObjectRef(module, "current", current) < 0 || !added(module, "Emitter", &emitter_spec) || !added(module, "Appender", &appender_spec)
            || (slot_type = (PyTypeObject *)added(module, "Slot", &slot_spec)) == NULL))
        Py_CLEAR(module);
    return module;
}
