/*
 * The usual case of a log call, in C: a line's parts, if all there is to know of them is
 * known, and the line.
 *
 * It runs no code but the redactor's and orjson's: types are exact, and what is looked up
 * was put there by tierlog.parts. Whatever is unusual is answered with None, whereupon the
 * Python code, which does all of it, does it. It keeps to the stable interface of Python
 * 3.11, so that one build is for all later versions.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <math.h>
#include <string.h>

#define MOST_CHARS 200    /* of a message: the shape of a longer one isn't remembered by tierlog.redact */
#define MOST_BYTES 60000  /* of data, as JSON: with a message it might have to be cut */
#define NUMBER_CHARS 20   /* of 64 bits */

static PyObject *dumps, *name_clean, *name_data, *name_heads, *name_src, *name_text;

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

PyDoc_STRVAR(look_up_doc,
"look_up(known, ms, context, lvl, src, msg, args, extra, data, tier, kind, named_src, /)\n"
"--\n"
"\n"
"Return head, source, message and data of a line; None if that takes more than to look them up.");

static PyObject *look_up(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    if (count != 12 || !PyTuple_CheckExact(given[0]) || PyTuple_Size(given[0]) != 3) {
        PyErr_SetString(PyExc_TypeError, "look_up() takes a tuple of 3 and 11 arguments more");
        return NULL;
    }
    PyObject *key = PyTuple_GetItem(given[0], 0), *sources = PyTuple_GetItem(given[0], 1), *redactor = PyTuple_GetItem(given[0], 2);
    PyObject *context = given[2], *lvl = given[3], *src = given[4], *msg = given[5], *args = given[6], *extra = given[7];
    PyObject *data = given[8], *tier = given[9], *kind = given[10], *named_src = given[11];
    PyObject *clean = NULL, *head = NULL, *source = NULL, *text = NULL, *message = NULL, *body = NULL, *parts = NULL;

    if (!PyUnicode_CheckExact(lvl) || !is_text_or_none(tier) || !is_text_or_none(kind) || !is_text_or_none(named_src))
        goto done;
    long long ms = PyLong_AsLongLong(given[1]);
    if (ms == -1 && PyErr_Occurred())
        goto done;
    clean = PyObject_GetAttr(redactor, name_clean);
    if (clean == NULL || !PyTuple_CheckExact(clean) || PyTuple_Size(clean) != 3)
        goto done;
    data = payload(extra, data);
    /* The redactor comes last: what it hides is counted, and must not be hidden again by the Python code. */
    if (data != NULL
        && (body = clean_body(data, PyTuple_GetItem(clean, 0), PyTuple_GetItem(clean, 1))) != NULL
        && PyBytes_Size(body) <= MOST_BYTES
        && (head = known_head(context, key, tier, kind, lvl, ms)) != NULL
        && (source = known_source(context, sources, named_src, src)) != NULL
        && (text = formatted(msg, args)) != NULL
        && PyUnicode_GetLength(text) <= MOST_CHARS
        && (message = clean_message(text, PyTuple_GetItem(clean, 2), redactor)) != NULL)
        parts = PyTuple_Pack(4, head, source, message, body);

done:
    Py_XDECREF(clean);
    Py_XDECREF(text);
    Py_XDECREF(head);
    Py_XDECREF(source);
    Py_XDECREF(message);
    Py_XDECREF(body);
    if (parts != NULL)
        return parts;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL; /* an interrupt */
    PyErr_Clear(); /* the Python code meets it, too, and says what is to be said */
    return Py_NewRef(Py_None);
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

static char *put_number(char *out, unsigned long long number)
{
    char digits[NUMBER_CHARS];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

PyDoc_STRVAR(join_doc,
"join(parts, /)\n"
"--\n"
"\n"
"Return tierlog.ndjson.LINE % parts: ts, head, seq, source, message and data.");

static PyObject *join(PyObject *module, PyObject *parts)
{
    if (!PyTuple_CheckExact(parts) || PyTuple_Size(parts) != 6) {
        PyErr_SetString(PyExc_TypeError, "join() takes a tuple of 6");
        return NULL;
    }
    PyObject *head = PyTuple_GetItem(parts, 1), *source = PyTuple_GetItem(parts, 3);
    PyObject *message = PyTuple_GetItem(parts, 4), *body = PyTuple_GetItem(parts, 5);
    if (!PyBytes_CheckExact(head) || !PyBytes_CheckExact(source) || !PyBytes_CheckExact(message) || !PyBytes_CheckExact(body)) {
        PyErr_SetString(PyExc_TypeError, "join() takes bytes but for ts and seq");
        return NULL;
    }
    long long ts = PyLong_AsLongLong(PyTuple_GetItem(parts, 0));
    unsigned long long seq = PyLong_AsUnsignedLongLong(PyTuple_GetItem(parts, 2));
    if (PyErr_Occurred())
        return NULL;
    Py_ssize_t most = PyBytes_Size(head) + PyBytes_Size(source) + PyBytes_Size(message) + PyBytes_Size(body) + 2 * NUMBER_CHARS + 32;
    char *start = PyMem_Malloc((size_t)most);
    if (start == NULL)
        return PyErr_NoMemory();
    char *out = put_text(start, "{\"ts\":");
    if (ts < 0)
        *out++ = '-';
    out = put_number(out, ts < 0 ? 0 - (unsigned long long)ts : (unsigned long long)ts);
    out = put(out, head);
    out = put_number(out, seq);
    out = put(out, source);
    out = put(put_text(out, ",\"msg\":"), message);
    out = put(put_text(out, ",\"data\":"), body);
    out = put_text(out, "}\n");
    PyObject *made = PyBytes_FromStringAndSize(start, out - start);
    PyMem_Free(start);
    return made;
}

static PyMethodDef methods[] = {
    {"look_up", (PyCFunction)(void (*)(void))look_up, METH_FASTCALL, look_up_doc},
    {"join", join, METH_O, join_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tierlog._speedups",
    .m_doc = "The usual case of a log call, in C; see tierlog.parts.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__speedups(void)
{
    PyObject *orjson = PyImport_ImportModule("orjson");
    if (orjson == NULL)
        return NULL;
    dumps = PyObject_GetAttrString(orjson, "dumps");
    Py_DECREF(orjson);
    name_clean = PyUnicode_InternFromString("clean");
    name_data = PyUnicode_InternFromString("data");
    name_heads = PyUnicode_InternFromString("heads");
    name_src = PyUnicode_InternFromString("src");
    name_text = PyUnicode_InternFromString("text");
    if (dumps == NULL || name_clean == NULL || name_data == NULL || name_heads == NULL || name_src == NULL || name_text == NULL)
        return NULL;
    return PyModule_Create(&definition);
}
