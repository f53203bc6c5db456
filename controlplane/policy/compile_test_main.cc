#define BOOST_TEST_MODULE policy_compile
#include <boost/test/unit_test.hpp>
