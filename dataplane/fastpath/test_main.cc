#define BOOST_TEST_MODULE fastpath
#include <boost/test/unit_test.hpp>
